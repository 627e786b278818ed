"""What the packages export: ``__all__`` tells the truth, every module stands alone.

Source: house style 4.
"""

import ast
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(ROOT.glob("packages/*/src"))

#: Imports each named module with nothing of its package loaded before. What the modules
#: stand on stays loaded: that is nearly all of the time, and not what is asked about.
IMPORT_EACH_ALONE = """
import importlib, json, sys, traceback
broken = {}
names = json.load(sys.stdin)
own = {".".join(name.split(".")[:2]) for name in names}
for name in names:
    for loaded in list(sys.modules):
        if ".".join(loaded.split(".")[:2]) in own:
            del sys.modules[loaded]
    try:
        importlib.import_module(name)
    except BaseException:
        broken[name] = traceback.format_exc()
json.dump({"broken": broken, "loaded": sorted(sys.modules)}, sys.stdout)
"""


def modules(source: Path) -> Iterator[str]:
    """Yield the dotted name of every module below a `src` folder."""
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


PUBLIC = [
    name
    for source in SOURCES
    for name in modules(source)
    if not any(part.startswith("_") for part in name.split("."))
]


def bound_names(name: str) -> set[str]:
    """Return the public names that a module makes: its own, and for a package's
    ``__init__`` also those that it brings up from its rooms."""
    module = importlib.import_module(name)
    path = Path(str(module.__file__))
    found = set()
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign):
            found |= {each.id for each in node.targets if isinstance(each, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
        elif isinstance(node, ast.ImportFrom) and path.name == "__init__.py":
            found |= {alias.asname or alias.name for alias in node.names}
    return {each for each in found if not each.startswith("_")}


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_true(name: str) -> None:
    """Each name of ``__all__`` exists, once, and no public name is missing from it."""
    module = importlib.import_module(name)
    exported = list(module.__all__)
    assert len(exported) == len(set(exported))
    assert [each for each in exported if not hasattr(module, each)] == []
    assert bound_names(name) - set(exported) == set()


@pytest.mark.parametrize("name", PUBLIC)
def test_all_is_sorted(name: str) -> None:
    """Names are grouped (constants, classes, functions) and sorted in each group."""

    def group(each: str) -> int:
        return 0 if each.isupper() else 1 if each[0].isupper() else 2

    exported = list(importlib.import_module(name).__all__)
    assert exported == sorted(exported, key=lambda each: (group(each), each))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.parent.name)
def test_modules_import_alone(source: Path) -> None:
    """Every module can be the first one imported, and none needs trio for it."""
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_EACH_ALONE],
        input=json.dumps([name for name in modules(source) if "_trio" not in name]),
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert answer.returncode == 0, answer.stderr
    report = json.loads(answer.stdout)
    assert report["broken"] == {}
    assert "trio" not in report["loaded"]
    assert "uvloop" not in report["loaded"]
