"""Show in docs/coverage.md which tests cite which number of the contract.

    python docs/make_coverage_table.py [--check]

Numbers are cited in the docstrings and comments of tests: alone (``H-031``), or as a
range (``H-149 to H-154``, ``H-166…H-169``), which counts for each. What the numbers
stand for is in docs/spec_numbers.toml. With ``--check`` nothing is written; the exit
status says whether the page is up to date and every cited number exists.
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from os.path import relpath
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
NUMBERS = ROOT / "docs/spec_numbers.toml"
PAGE = ROOT / "docs/coverage.md"
#: The tests of this script cite to see what counts, not to prove anything.
SELF = "test_coverage_table.py"
TESTS = ("packages/*/tests/**/*", "tests-integration/**/*")
KINDS = {"H": "The contract", "X": "Beyond it", "N": "What Node's tests pin"}
#: One number, or the first and the last of a range.
CITATION = re.compile(r"\b([HXN])-(\d{3})(?:(?:…| to |-| - |\u2013)(?:\1-)?(\d{3})\b)?")
INTRODUCTION = """\
# What is tested, by number

Every rule that headrace follows has a number, and tests cite the numbers that they
prove. `./run docs` makes this page from the tests; a test fails when it differs.
"""


class Numbers(NamedTuple):
    """The numbers, what each asks, and why some have no test."""

    titles: dict[str, str]
    reasons: dict[str, str]


@cache
def numbers() -> Numbers:
    content = tomllib.loads(NUMBERS.read_text())
    reasons = content.pop("reasons")
    titles = {
        f"{kind}-{number}": title
        for kind, group in content.items()
        for number, title in group.items()
    }
    return Numbers(titles, reasons)


def cited(text: str) -> Iterator[str]:
    """Yield the numbers that a text cites; holes in a range do not count."""
    known = numbers().titles
    for kind, first, last in CITATION.findall(text):
        ends = {f"{kind}-{first}", f"{kind}-{last or first}"}
        inside = range(int(first), int(last or first) + 1)
        yield from ends
        yield from known.keys() & {f"{kind}-{number:03}" for number in inside} - ends


def citations() -> dict[str, list[Path]]:
    """Return which files cite each number, in order."""
    found: dict[str, list[Path]] = {}
    paths = (path for pattern in TESTS for path in ROOT.glob(pattern))
    for path in sorted(path for path in paths if path.suffix in {".py", ".md"}):
        if path.name == SELF:
            continue
        for number in set(cited(path.read_text())):
            found.setdefault(number, []).append(path)
    return found


def unknown() -> dict[str, list[Path]]:
    """Return the cited numbers that do not exist, and who cites them."""
    titles = numbers().titles
    return {number: who for number, who in citations().items() if number not in titles}


def row(number: str, title: str, files: list[Path], reason: str | None) -> str:
    links = [f"[{path.name}]({relpath(path, PAGE.parent)})" for path in files]
    proof = ", ".join(links) or (f"none: {reason}" if reason else "**none**")
    return f"| {number} | {title} | {proof} |"


def section(kind: str, titles: dict[str, str], found: dict[str, list[Path]]) -> str:
    reasons = numbers().reasons
    mine = {number: title for number, title in titles.items() if number[0] == kind}
    cited = sum(1 for number in mine if number in found)
    excused = sum(1 for number in mine if number in reasons and number not in found)
    lines = [
        f"## {KINDS[kind]}",
        "",
        f"{len(mine)} numbers, {cited} with tests, {excused} without for a reason.",
        "",
        "| number | what it asks | tests |",
        "|---|---|---|",
    ]
    lines += [
        row(number, title, found.get(number, []), reasons.get(number))
        for number, title in mine.items()
    ]
    return "\n".join(lines) + "\n"


def page() -> str:
    titles, found = numbers().titles, citations()
    return "\n".join([INTRODUCTION, *(section(kind, titles, found) for kind in KINDS)])


def main() -> int:
    strange = unknown()
    for number, who in strange.items():
        names = ", ".join(path.name for path in who)
        print(f"no such number: {number}, cited in {names}", file=sys.stderr)
    if "--check" in sys.argv[1:]:
        current = PAGE.is_file() and PAGE.read_text() == page()
        return 0 if current and not strange else 1
    PAGE.write_text(page())
    return 1 if strange else 0


if __name__ == "__main__":
    sys.exit(main())
