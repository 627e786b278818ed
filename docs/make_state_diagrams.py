"""Draw every table of legal moves into docs/states.md.

    python docs/make_state_diagrams.py [--check]

A table is a mapping of the form ``{(State.A, Move.M): State.B}`` at the top of a
module. With ``--check`` nothing is written; the exit status says whether the page is
up to date.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import NamedTuple, TypeGuard

ROOT = Path(__file__).parent.parent
TABLE = re.compile(r"^(\w+)\b.*Mapping\[tuple\[", re.MULTILINE)
MEMBER = re.compile(r"^\s+(\w+) = .*?#: (.*)$", re.MULTILINE)
PAGE = ROOT / "docs/states.md"
INTRODUCTION = """\
# The lives of things

Whatever has a life in headrace has it written down as a table of legal moves. These
drawings are made from the tables by `./run docs`; a test fails when they differ.
"""


class Table(NamedTuple):
    """One table of legal moves and where it stands."""

    module: ModuleType
    name: str
    moves: Mapping[tuple[Enum, Enum], Enum]

    @property
    def states(self) -> list[Enum]:
        """All states, in the order of their definition."""
        return list(type(next(iter(self.moves.values()))))


def is_table(value: object) -> TypeGuard[Mapping[tuple[Enum, Enum], Enum]]:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(
            isinstance(key, tuple)
            and len(key) == 2
            and all(isinstance(part, Enum) for part in (*key, target))
            for key, target in value.items()
        )
    )


def tables() -> Iterator[Table]:
    """Yield the tables of all packages, each from the module that defines it."""
    for path in sorted(ROOT.glob("packages/*/src/headrace/**/*.py")):
        names = TABLE.findall(path.read_text())
        if not names:
            continue
        source = next(parent for parent in path.parents if parent.name == "src")
        dotted = ".".join(path.relative_to(source).with_suffix("").parts)
        module = importlib.import_module(dotted)
        for name in names:
            if is_table(value := getattr(module, name, None)):
                yield Table(module, name, value)


def words(member: Enum) -> str:
    return member.name.lower().replace("_", " ")


def comments(kind: type[Enum]) -> dict[str, str]:
    """Return what the ``#:`` comment beside each member of an enum says."""
    return dict(MEMBER.findall(inspect.getsource(kind)))


def draw(table: Table) -> str:
    """Return one section of the page: the drawing, and what its states mean."""
    arrows: dict[tuple[Enum, Enum], list[str]] = {}
    for (state, move), target in table.moves.items():
        arrows.setdefault((state, target), []).append(words(move))
    lines = [f"## `{table.module.__name__}`: `{table.name}`", "", "```mermaid"]
    lines.append("stateDiagram-v2")
    lines += [f"    {state.name}: {words(state)}" for state in table.states]
    lines += [
        f"    {state.name} --> {target.name}: {', '.join(moves)}"
        for (state, target), moves in arrows.items()
    ]
    lines += ["```", ""]
    meaning = comments(type(table.states[0]))
    lines += [
        f"- **{words(state)}**: {meaning[state.name]}"
        for state in table.states
        if state.name in meaning
    ]
    return "\n".join(lines).rstrip() + "\n"


def page() -> str:
    return "\n".join([INTRODUCTION, *map(draw, tables())])


def main() -> int:
    if "--check" in sys.argv[1:]:
        return 0 if PAGE.is_file() and PAGE.read_text() == page() else 1
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
