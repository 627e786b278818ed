"""Build every package, install each one alone, and do one real thing with it there.

    python tests-integration/build_and_try_each.py [DISTRIBUTION ...]

Each package becomes a source archive and, from that, a wheel. Then each wheel goes into
a fresh environment with nothing beside it but what it declares: siblings come from the
wheels just built, the rest from the package index. ``alone/try_<package>.py`` uses it
there. All it needs is Python with pip: it fetches its own tools where they are missing.
"""

import importlib.util
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import venv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PACKAGES = HERE.parent / "packages"
SECONDS_PER_COMMAND = 240
TOOLS = ["hatchling", "uv"]

#: What an environment contains of ours, asked from inside it.
CONTENTS = """
import headrace, importlib, json, pathlib, pkgutil
modules = [each.name for each in pkgutil.iter_modules(headrace.__path__)]
files = {m: importlib.import_module(f"headrace.{m}").__file__ for m in modules}
typed = [m for m, f in files.items() if (pathlib.Path(f).parent / "py.typed").exists()]
print(json.dumps({"file": headrace.__file__, "modules": modules, "typed": typed}))
"""


class FailedError(Exception):
    """A step went wrong; the message is what the step printed."""


@dataclass(frozen=True)
class Package:
    """One folder of packages/ as its pyproject.toml describes it."""

    folder: Path
    name: str
    modules: frozenset[str]
    dependencies: tuple[str, ...]

    @property
    def target(self) -> str:
        """What a user would ask for; the set is tried with all that it can bring."""
        return "headrace[fast]" if self.name == "headrace" else self.name

    @property
    def program(self) -> Path:
        return HERE / "alone" / f"try_{self.folder.name.replace('-', '_')}.py"


def read_packages() -> dict[str, Package]:
    found = {}
    for path in sorted(PACKAGES.glob("*/pyproject.toml")):
        project: dict[str, Any] = tomllib.loads(path.read_text())["project"]
        modules = path.parent.glob("src/headrace/*/__init__.py")
        found[project["name"]] = Package(
            folder=path.parent,
            name=project["name"],
            modules=frozenset(each.parent.name for each in modules),
            dependencies=tuple(project["dependencies"]),
        )
    return found


def expected_modules(package: Package, packages: dict[str, Package]) -> set[str]:
    """Return the modules of headrace that come with `package`: its own and below."""
    modules = set(package.modules)
    for other in packages.values():
        if any(
            line.startswith((f"{other.name}>", f"{other.name}="))
            for line in package.dependencies
        ):
            modules |= expected_modules(other, packages)
    return modules


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command as if from a plain shell, and return what it printed."""
    ours = ("PYTHON", "VIRTUAL_ENV", "HATCH_", "COV", "PYTEST", "HEADRACE_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_PER_COMMAND,
    )
    if done.returncode:
        raise FailedError(f"$ {' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout.strip()


def new_environment(folder: Path, *, with_pip: bool = False) -> Path:
    """Create an environment and return its Python."""
    venv.create(folder, with_pip=with_pip)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def install(python: Path, *arguments: str | Path) -> None:
    run(sys.executable, "-m", "uv", "pip", "install", "-q", "-p", python, *arguments)


def build(package: Package, work: Path) -> Path:
    """Build a source archive, and a wheel from nothing but that archive."""
    hatchling = [sys.executable, "-m", "hatchling", "build"]
    run(*hatchling, "-t", "sdist", "-d", work, cwd=package.folder)
    stem = package.name.replace("-", "_")
    (archive,) = work.glob(f"{stem}-[0-9]*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(work, filter="data")
    source = work / archive.name.removesuffix(".tar.gz")
    run(*hatchling, "-t", "wheel", "-d", work, cwd=source)
    (wheel,) = work.glob(f"{stem}-[0-9]*.whl")
    return wheel


def try_alone(package: Package, packages: dict[str, Package], work: Path) -> str:
    """Install a package into an environment of its own, look at it and use it."""
    folder = work / f"alone-{package.name}"
    python = new_environment(folder)
    install(python, "-c", work / "constraints.txt", package.target)
    contents = json.loads(run(python, "-I", "-W", "error", "-c", CONTENTS))
    modules = sorted(expected_modules(package, packages))
    expected = {"file": None, "modules": modules, "typed": modules}
    if contents != expected:
        raise FailedError(f"installed: {contents}\nexpected: {expected}")
    return run(python, "-I", "-W", "error", package.program, cwd=folder)


def try_each(wanted: list[str]) -> bool:
    packages = read_packages()
    with (
        tempfile.TemporaryDirectory(prefix="headrace-") as folder,
        ThreadPoolExecutor(max_workers=os.cpu_count()) as pool,
    ):
        work = Path(folder)
        wheels = pool.map(lambda package: build(package, work), packages.values())
        # A constraint that is a file leaves no choice: a sibling never comes from the
        # index, whatever may be published there under its name.
        lines = [
            f"{name} @ {wheel.as_uri()}"
            for name, wheel in zip(packages, wheels, strict=True)
        ]
        (work / "constraints.txt").write_text("\n".join(lines) + "\n")

        def attempt(package: Package) -> bool:
            start = time.monotonic()
            try:
                said = try_alone(package, packages, work)
            except (FailedError, subprocess.TimeoutExpired) as error:
                print(f"{package.target}: FAILED\n{error}", flush=True)
                return False
            seconds = time.monotonic() - start
            print(f"{package.target}: {said} ({seconds:.1f} s)", flush=True)
            return True

        chosen = [packages[name] for name in wanted or packages]
        return all(list(pool.map(attempt, chosen)))


def run_with_own_tools() -> int:
    """Start again in an environment that has what this script needs."""
    with tempfile.TemporaryDirectory(prefix="headrace-tools-") as folder:
        python = new_environment(Path(folder), with_pip=True)
        run(python, "-m", "pip", "install", *TOOLS)
        return subprocess.call([python, __file__, *sys.argv[1:]])


def main() -> int:
    if not all(map(importlib.util.find_spec, TOOLS)):
        return run_with_own_tools()
    return 0 if try_each(sys.argv[1:]) else 1


if __name__ == "__main__":
    sys.exit(main())
