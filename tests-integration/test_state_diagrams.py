"""The committed drawings of the state machines are those of the tables.

Source: house style 7.
"""

import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def test_drawings_match_the_tables() -> None:
    """`./run docs` would change nothing."""
    script = DOCS / "make_state_diagrams.py"
    done = subprocess.run([sys.executable, script, "--check"], timeout=50)
    assert done.returncode == 0, "run `./run docs` and commit docs/states.md"
    assert (DOCS / "states.md").read_text().count("stateDiagram-v2") >= 3
