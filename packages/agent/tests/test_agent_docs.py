"""The page about agents."""

import runpy
from pathlib import Path

from headrace.agent import _state

ROOT = Path(__file__).parents[3]


def test_page_shows_the_table() -> None:
    """The drawing in docs/agent.md is made from the table (house style 7)."""
    tool = runpy.run_path(str(ROOT / "docs/make_state_diagrams.py"))
    section = tool["draw"](tool["Table"](_state, "MOVES", _state.MOVES))
    drawing = section.partition("\n\n")[2]  # without its heading
    assert drawing in (ROOT / "docs/agent.md").read_text()
