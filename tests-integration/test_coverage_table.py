"""The committed table of what is tested is that of the tests, and cites what exists."""

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
SCRIPT = DOCS / "make_coverage_table.py"


def test_the_table_matches_the_tests() -> None:
    """`./run docs` would change nothing, and every cited number exists."""
    done = subprocess.run(
        [sys.executable, SCRIPT, "--check"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stderr == ""
    assert done.returncode == 0, "run `./run docs` and commit docs/coverage.md"


def test_a_reason_is_for_a_number_that_has_no_test() -> None:
    """Who tests it after all takes the reason away."""
    reasons = tomllib.loads((DOCS / "spec_numbers.toml").read_text())["reasons"]
    page = (DOCS / "coverage.md").read_text()
    excused = re.findall(r"^\| (\S+) \| .* \| none: ", page, re.MULTILINE)
    assert sorted(excused) == sorted(reasons)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Source: H-031.", {"H-031"}),
        ("(H-149 to H-151, N-001)", {"H-149", "H-150", "H-151", "N-001"}),
        ("X-042…X-050", {"X-042", "X-043", "X-044", "X-050"}),
        ("no number: H-12, XH-001", set()),
        ("H-999", {"H-999"}),
    ],
)
def test_what_counts_as_a_citation(text: str, numbers: set[str]) -> None:
    """Ranges count for each number that exists, single ones as they stand."""
    assert set(runpy.run_path(str(SCRIPT))["cited"](text)) == numbers
