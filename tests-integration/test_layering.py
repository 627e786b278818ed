"""Dependencies point one way, are declared, and go through public names only.

Source: DESIGN, "The packages"; house style 1 and 4. The rules are read from the
imports themselves, because tools that ask an index see one module "headrace".
"""

import ast
import importlib.util
import sys
import tomllib
from collections.abc import Iterator, Set
from fnmatch import fnmatch
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
CODE_PACKAGES = [path for path in PACKAGES if (path / "src").is_dir()]

#: Who stands on whom: a module imports only modules of a lower rank. A new module of
#: the namespace must be put here first.
RANKS = {
    "events": 0,
    "http_parser": 0,
    "streams": 1,
    "net": 2,
    "agent": 3,
    "http": 4,
    "https": 5,
}

#: The rooms in which a foreign module may be imported; everybody else asks them.
ROOMS = {
    "asyncio": ["events/loop*", "net/_*transport*.py", "net/_asyncio.py"],
    "trio": ["events/loop*", "net/_*transport*.py", "net/_trio.py"],
    "h11": ["http_parser/_h11*"],
    "httptools": ["http_parser/_llhttp*"],
}

#: Loops that the user brings: they are found when they run and never required.
HOSTS = {"trio", "uvloop"}


class Import(NamedTuple):
    """One imported module, and the name taken from it if any."""

    module: str
    name: str | None
    line: int

    @property
    def top(self) -> str:
        return self.module.partition(".")[0]

    @property
    def owner(self) -> str:
        """The module of the namespace that it comes from, such as ``streams``."""
        return [*self.module.split("."), self.name or ""][1]


def imports(path: Path) -> Iterator[Import]:
    """Yield what `path` imports, wherever the statement stands."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, None, node.lineno)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                yield Import(node.module or "", alias.name, node.lineno)


def sources(package: Path) -> list[Path]:
    return sorted((package / "src").rglob("*.py"))


def module_of(path: Path) -> str:
    """Return the module of the namespace that a source file belongs to."""
    return path.parts[path.parts.index("headrace", path.parts.index("src")) + 1]


def modules_of(package: Path) -> set[str]:
    folders = (package / "src/headrace").iterdir()
    return {path.name for path in folders if not path.name.startswith("_")}


def project(package: Path) -> dict[str, Any]:
    text = (package / "pyproject.toml").read_text()
    table: dict[str, Any] = tomllib.loads(text)["project"]
    return table


def requirements(package: Path) -> list[Requirement]:
    """Return all that a package requires, its extras included, itself excluded."""
    table = project(package)
    lines = [*table["dependencies"]]
    for extra in table.get("optional-dependencies", {}).values():
        lines += extra
    return [Requirement(line) for line in lines]


def declared_modules(package: Path) -> set[str]:
    """Return the modules of the siblings that a package requires."""
    siblings = {project(path)["name"]: path for path in CODE_PACKAGES}
    return {
        module
        for requirement in requirements(package)
        if requirement.name in siblings
        for module in modules_of(siblings[requirement.name])
    }


def is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is a plain module
        return False


def is_public(found: Import) -> bool:
    """Tell whether a sibling offers what is imported from it."""
    if any(part.startswith("_") for part in found.module.split(".")):
        return False
    if found.name is None or found.module == "headrace":
        return True
    module = importlib.import_module(found.module)
    return found.name in getattr(module, "__all__", ()) or (
        not found.name.startswith("_") and is_module(f"{found.module}.{found.name}")
    )


def private_attributes(path: Path, own: Set[str] = frozenset()) -> Iterator[str]:
    """Yield each ``module._name`` where a sibling's module is imported as a whole."""
    tree = ast.parse(path.read_bytes())
    whole = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").startswith("headrace")
        for alias in node.names
        if f"{node.module}.{alias.name}".split(".")[1] not in own
        and is_module(f"{node.module}.{alias.name}")
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in whole
            and node.attr.startswith("_")
            and not node.attr.startswith("__")
        ):
            yield f"line {node.lineno}: {node.value.id}.{node.attr}"


@pytest.mark.parametrize("package", CODE_PACKAGES, ids=lambda path: path.name)
def test_declared_is_used(package: Path) -> None:
    """A package requires exactly what it imports: no more, no less."""
    siblings = {
        module: project(path)["name"]
        for path in CODE_PACKAGES
        for module in modules_of(path)
    }
    owners = packages_distributions()
    used = set()
    for path in sources(package):
        for found in imports(path):
            if found.top == "headrace":
                used.add(siblings[found.owner])
            elif found.top not in sys.stdlib_module_names | HOSTS:
                used.add(canonicalize_name(owners[found.top][0]))
    declared = {canonicalize_name(each.name) for each in requirements(package)}
    assert used - {project(package)["name"]} == declared


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_requirements_have_both_bounds(package: Path) -> None:
    """Each requirement says from where and up to where it is known to work."""
    for requirement in requirements(package):
        operators = {each.operator for each in requirement.specifier}
        assert operators in ({">=", "<"}, {"=="}), str(requirement)


@pytest.mark.parametrize("package", CODE_PACKAGES, ids=lambda path: path.name)
def test_imports_point_down(package: Path) -> None:
    """A module imports siblings of a lower rank only."""
    for path in sources(package):
        module = module_of(path)
        for found in imports(path):
            if found.top == "headrace" and found.owner != module:
                assert RANKS[found.owner] < RANKS[module], f"{path}:{found.line}"


@pytest.mark.parametrize("package", CODE_PACKAGES, ids=lambda path: path.name)
def test_only_public_names_of_siblings(package: Path) -> None:
    """Siblings are used through their public names; tests see their own inside."""
    own = modules_of(package)
    for path in [*sources(package), *(package / "tests").rglob("*.py")]:
        for found in imports(path):
            if found.top == "headrace" and found.owner not in own:
                assert is_public(found), f"{path}:{found.line}: {found}"
        assert not list(private_attributes(path, own)), path


@pytest.mark.parametrize("package", CODE_PACKAGES, ids=lambda path: path.name)
def test_tests_need_only_what_their_package_needs(package: Path) -> None:
    """A test that needs more than its package does belongs to tests-integration."""
    allowed = modules_of(package) | declared_modules(package)
    for path in (package / "tests").rglob("*.py"):
        for found in imports(path):
            if found.top == "headrace":
                assert found.owner in allowed, f"{path}:{found.line}: {found}"


@pytest.mark.parametrize("folder", ["tests-integration", "examples", "benchmarks"])
def test_outside_code_uses_public_names(folder: str) -> None:
    """What stands outside the packages uses them as anybody could."""
    for path in (ROOT / folder).rglob("*.py"):
        for found in imports(path):
            if found.top == "headrace":
                assert is_public(found), f"{path}:{found.line}: {found}"
        assert not list(private_attributes(path)), path


@pytest.mark.parametrize("foreign", ROOMS)
def test_foreign_modules_stay_in_their_rooms(foreign: str) -> None:
    """Event loops and engines are imported in the rooms made for them only."""
    for package in CODE_PACKAGES:
        for path in sources(package):
            room = path.relative_to(package / "src/headrace").as_posix()
            if any(fnmatch(room, pattern) for pattern in ROOMS[foreign]):
                continue
            for found in imports(path):
                assert found.top != foreign, f"{path}:{found.line}"


def test_every_module_of_the_namespace_has_a_rank() -> None:
    """A new module must be put in its place before anything can import it."""
    assert set().union(*map(modules_of, CODE_PACKAGES)) == set(RANKS)


def test_the_scanner_sees_hidden_imports(tmp_path: Path) -> None:
    """Imports inside functions and type-checking blocks count like any other."""
    path = tmp_path / "seeded.py"
    path.write_text(
        "from headrace.net._socket import Socket\n"
        "def later():\n    import trio.testing\n"
        "from headrace import events\nevents._secret\n"
    )
    found = {(each.module, each.name): each for each in imports(path)}
    assert set(found) == {
        ("headrace.net._socket", "Socket"),
        ("trio.testing", None),
        ("headrace", "events"),
    }
    assert not is_public(found["headrace.net._socket", "Socket"])
    assert is_public(found["headrace", "events"])
    assert list(private_attributes(path)) == ["line 5: events._secret"]
