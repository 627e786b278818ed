"""The example of a protocol that is not HTTP."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[3] / "examples/agent_line_protocol.py"

PROGRAM = """
import runpy, sys
from headrace import net
net.run(runpy.run_path(sys.argv[1])["main"], backend=sys.argv[2])
loaded = {name.split(".")[1] for name in sys.modules if name.startswith("headrace.")}
print(sorted(loaded))
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_line_protocol_needs_no_http(backend: str) -> None:
    """The example runs, reuses a socket, and loads only what the pool stands on."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, str(EXAMPLE), backend],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "one reused=False",
        "two reused=False",
        "three reused=True",
        "['agent', 'events', 'net', 'streams']",
    ]


def test_line_protocol_is_short() -> None:
    """An example is a complete program under forty lines (house style 12)."""
    assert len(EXAMPLE.read_text().splitlines()) < 40
