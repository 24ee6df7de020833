"""The sources: a source is a file in this folder with one constant ``SOURCE``."""

import difflib
import importlib
import pkgutil

from aurora_prep.sources.spec import Source, SpecError


def names() -> tuple[str, ...]:
    """Names of all sources, in alphabetical order."""
    return tuple(sorted(m.name for m in pkgutil.iter_modules(__path__) if not m.ispkg))


def load(name: str) -> Source:
    """The declaration of a source.

    Raises:
        SpecError: There is no such source, or its file declares another one.
    """
    if name not in names():
        near = difflib.get_close_matches(name, names(), n=1)
        raise SpecError(
            "there is no such source",
            "sources",
            f"{name!r} not among {list(names())}",
            f"did you mean {near[0]!r}?" if near else "take a listed source",
        )
    module = importlib.import_module(f"{__name__}.{name}")
    source = getattr(module, "SOURCE", None)
    if not isinstance(source, Source) or source.name != name:
        raise SpecError(
            "a source file must declare SOURCE under its own name",
            f"sources/{name}.py",
            repr(getattr(source, "name", source)),
            f'set SOURCE = Source(name="{name}", ...)',
        )
    return source
