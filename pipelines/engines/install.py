"""Installs Prism and Flink, each from the registry it is published in, without root.

The versions are pinned here and nowhere else. Go checks Prism's modules against
the public checksum database; Maven checks every jar against its published
checksum and fails where one differs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from aurora_prep.pipelines.engines import places
from aurora_prep.sources.spec import EngineError

PRISM = "github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0"
# The library of Beam's Flink runner, not the job server that bundles it with all
# it needs: Maven brings that. The portable protocol does not ask for the SDK's
# version: 2.62 is the newest whose libraries are complete in mirrors too.
FLINK = {
    "org.apache.beam:beam-runners-flink-1.19": "2.62.0",
    "org.slf4j:slf4j-simple": "1.7.30",
}
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
JOB_SERVER = "org.apache.beam.runners.flink.FlinkJobServerDriver"
OLDEST_GO, OLDEST_JAVA = (1, 21), 11
MANIFEST_BYTES = 70  # a line of a jar's manifest holds 72 with its end
SECONDS = 1800


def prism() -> Path:
    """Install Prism with Go's own client, unless it is there; the program.

    Raises:
        EngineError: Go is absent, or the installation fails.
    """
    program = places.folder() / "bin" / "prism"
    if not program.exists():
        _go()
        program.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=program.parent) as fresh:
            _run(["go", "install", PRISM], "Prism", GOBIN=fresh)
            (Path(fresh) / "prism").replace(program)
    return program


def flink() -> Path:
    """Install Flink and Beam's job server for it with Maven, unless there; the job server's jar.

    Raises:
        EngineError: Java or Maven is absent, or the installation fails.
    """
    jar = places.flink_job_server()
    if not jar.exists():
        java()
        _need("mvn", "Maven 3.6 or newer (your system's package maven)")
        lib = places.flink_jars()
        lib.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=lib.parent) as fresh:
            pom = Path(fresh) / "pom.xml"
            pom.write_text(_pom(), encoding="utf-8")
            words = ["--batch-mode", "--quiet", "--strict-checksums", "--no-transfer-progress"]
            aims = [COPY, "-DincludeScope=runtime", f"-DoutputDirectory={fresh}/lib"]
            _run(["mvn", *words, "--file", str(pom), *aims], "Flink")
            shutil.rmtree(lib, ignore_errors=True)
            (Path(fresh) / "lib").replace(lib)
        _write_job_server(jar, sorted(path.name for path in lib.glob("*.jar")))
    return jar


def _go() -> None:
    program = _need("go", "Go 1.21 or newer (https://go.dev/dl, or your system's package)")
    told = subprocess.run([program, "version"], capture_output=True, text=True, check=False)  # noqa: S603  found on the PATH
    found = re.search(r"go(\d+)\.(\d+)", told.stdout)
    if found is None or (int(found[1]), int(found[2])) < OLDEST_GO:
        raise EngineError(
            "Go is too old for Prism",
            program,
            told.stdout.strip() or "it does not tell its version",
            "install Go 1.21 or newer: from then on it fetches the release that a program asks for",
        )


def java() -> str:
    """The program of Java.

    Raises:
        EngineError: There is none, or it is too old.
    """
    program = _need("java", "a Java runtime, 17 for preference (your system's openjdk-17-jre)")
    told = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)  # noqa: S603  found on the PATH
    found = re.search(r'version "(\d+)', told.stderr)
    if found is None or int(found[1]) < OLDEST_JAVA:
        raise EngineError(
            "Java is too old for Flink",
            program,
            told.stderr.splitlines()[0] if told.stderr else "it does not tell its version",
            f"install Java {OLDEST_JAVA} or newer, 17 for preference",
        )
    return program


def _pom() -> str:
    """A project that is nothing but its dependencies."""
    wanted = ""
    for name, version in FLINK.items():
        group, artifact = name.split(":")
        wanted += (
            f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version></dependency>"
        )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>aurora-prep</groupId><artifactId>engines</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{wanted}</dependencies></project>\n"
    )


def _write_job_server(jar: Path, names: Sequence[str]) -> None:
    """Write one jar for Beam, empty but for a manifest that lists the others for ``java -jar``."""
    entry = "Class-Path: " + " ".join(f"lib/{name}" for name in names)
    lines = [entry[:MANIFEST_BYTES]]
    rest = entry[MANIFEST_BYTES:]
    step = MANIFEST_BYTES - 1
    lines += [f" {rest[at : at + step]}" for at in range(0, len(rest), step)]
    text = "\r\n".join(["Manifest-Version: 1.0", f"Main-Class: {JOB_SERVER}", *lines, "", ""])
    fresh = jar.with_suffix(f".{os.getpid()}")
    with zipfile.ZipFile(fresh, "w") as archive:
        archive.writestr("META-INF/MANIFEST.MF", text)
    fresh.replace(jar)


def _need(program: str, what: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise EngineError(
            f"{program} is not installed",
            "installation of the engines",
            f"no {program} on the PATH",
            f"install {what}, or use an engine that is there: the local runner needs nothing",
        )
    return found


def _run(command: Sequence[str], what: str, **extra: str) -> None:
    environment: Mapping[str, str] = {**os.environ, **extra}
    try:
        subprocess.run(  # noqa: S603  our own words
            command, env=environment, capture_output=True, text=True, check=True, timeout=SECONDS
        )
    except subprocess.CalledProcessError as error:
        lines = (error.stderr + error.stdout).strip().splitlines() or ["it says nothing"]
        told = next((line for line in lines if "ERROR" in line), lines[-1])
        raise EngineError(
            f"{what} cannot be installed",
            " ".join(command[:2]),
            told,
            "look at the network and the registry's mirror, then try again: what is there stays",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EngineError(
            f"{what} cannot be installed",
            " ".join(command[:2]),
            f"not done after {SECONDS} s",
            "look at the network, then try again",
        ) from error
