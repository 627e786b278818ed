"""Every package has the one shape, and what the repository says about itself holds.

Source: house style 1, 11, 13 and 14.
"""

import re
import subprocess
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
META = ROOT / "packages/headrace"
CODE_PACKAGES = [path for path in PACKAGES if path != META]

#: A verb as documents write it, with or without the environment it runs in.
COMMAND = re.compile(r"(?:\./run|hatch run) (?:pythons:)?([a-z]+)")

#: Folders of somebody's machine; written in two halves, so as not to find this line.
MACHINE_PATHS = re.compile(r"/(?:" + "root|home/\\w+|Users/\\w+|work" + r")/\w")


def tracked_files() -> list[Path]:
    """Return the files under version control, or what a plain copy of them holds."""
    try:
        names = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z"],
            capture_output=True,
            check=True,
            text=True,
        ).stdout.split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = [
            path.relative_to(ROOT).as_posix()
            for path in ROOT.rglob("*")
            if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
            and "__pycache__" not in path.parts
        ]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def project(package: Path) -> dict[str, Any]:
    return tomllib.loads((package / "pyproject.toml").read_text())


def version_of(package: Path) -> str:
    path = package / project(package)["tool"]["hatch"]["version"]["path"]
    found = re.search(r'^__version__ = "([^"]+)"$', path.read_text(), re.MULTILINE)
    assert found, path
    return found[1]


def scripts() -> dict[str, Any]:
    """Return the verbs of the repository and what each of them runs."""
    default = tomllib.loads((ROOT / "hatch.toml").read_text())["envs"]["default"]
    return dict(default["scripts"])


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_package_has_its_files(package: Path) -> None:
    """What a visitor learned from one package is found in each."""
    for name in ["README.md", "CHANGELOG.md", "LICENSE", "newsfragments/.gitignore"]:
        assert (package / name).is_file(), name
    assert (package / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    described = project(package)["project"]
    folder = package.name
    assert described["name"] == (folder if package == META else f"headrace-{folder}")
    assert described["requires-python"] == ">=3.11"
    assert f"pip install {described['name']}" in (package / "README.md").read_text()


@pytest.mark.parametrize("package", CODE_PACKAGES, ids=lambda path: path.name)
def test_namespace_belongs_to_nobody(package: Path) -> None:
    """No file lies in src/headrace itself: two wheels would claim the same path."""
    namespace = package / "src/headrace"
    assert [path.name for path in namespace.iterdir() if not path.is_dir()] == []
    for module in namespace.iterdir():
        assert (module / "py.typed").is_file()
        assert (module / "__init__.py").is_file()
    assert list((package / "tests").glob("test_*.py"))


def test_meta_package_pins_the_set() -> None:
    """The meta-package requires each package at exactly its present version."""
    described = project(META)["project"]
    expected = {
        f"{project(path)['project']['name']}=={version_of(path)}"
        for path in CODE_PACKAGES
    }
    assert set(described["dependencies"]) == expected
    parser = version_of(ROOT / "packages/http-parser")
    fast = described["optional-dependencies"]["fast"]
    assert f"headrace-http-parser[fast]=={parser}" in fast


def test_every_package_is_known_to_the_tools() -> None:
    """A new package cannot be forgotten by the type check or by the coverage."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    expected = {f"packages/{path.name}/src" for path in CODE_PACKAGES}
    prefix = "$MYPY_CONFIG_FILE_DIR/"
    paths = {each.removeprefix(prefix) for each in tools["mypy"]["mypy_path"]}
    assert {path for path in paths if path.startswith("packages/")} == expected
    assert set(tools["coverage"]["run"]["source_dirs"]) == expected


def test_documented_verbs_exist() -> None:
    """Each command that a document names is a script of hatch.toml."""
    named = {
        (path.name, verb)
        for path in tracked_files()
        if path.suffix == ".md" or path.name == "run"
        for verb in COMMAND.findall(path.read_text())
    }
    assert {verb for _, verb in named} >= {"demo", "test"}
    assert {each for each in named if each[1] not in scripts()} == set()


def test_scripts_name_existing_files() -> None:
    """A verb that runs a file runs one that is there."""
    files = re.findall(r"python (\S+\.py)", repr(scripts()))
    assert files
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_names_of_test_files_are_unique() -> None:
    """mypy knows files below a folder with a hyphen by their own name only."""
    names = Counter(path.name for path in tracked_files() if path.match("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_paths_of_a_machine() -> None:
    """Nothing under version control knows where somebody's clone or home was."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in tracked_files()
        for number, line in enumerate(
            path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        )
        if MACHINE_PATHS.search(line)
    ]
    assert found == []


def test_newsfragments_have_a_known_kind() -> None:
    """towncrier takes each fragment: its name ends in one of the configured kinds."""
    config = tomllib.loads((ROOT / "towncrier.toml").read_text())["tool"]["towncrier"]
    kinds = {each["directory"] for each in config["type"]}
    for package in PACKAGES:
        for path in (package / "newsfragments").glob("*.md"):
            assert re.fullmatch(r"\+[\w-]+\.(\w+)\.md", path.name), path
            assert path.suffixes[-2].removeprefix(".") in kinds, path
