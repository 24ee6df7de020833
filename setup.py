"""Install the top-level folders as one import package, ``aurora_prep``.

Metadata is in pyproject.toml. This file exists for the folder mapping, and
because Beam ships workers the project through ``--setup_file``.
"""

from setuptools import find_packages, setup

LAYERS = ("sources", "regridding", "normalisation", "providers", "manifest", "pipelines")

setup(
    packages=[
        "aurora_prep",
        *(
            f"aurora_prep.{package}"
            for layer in LAYERS
            for package in (layer, *(f"{layer}.{sub}" for sub in find_packages(layer)))
        ),
    ],
    package_dir={
        "aurora_prep": "aurora_prep",
        **{f"aurora_prep.{layer}": layer for layer in LAYERS},
    },
    package_data={"": ["py.typed", "*.yaml", "*.json", "*.css", "*.js"]},
)
