"""The README's program runs as it stands."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"


def test_the_program_prints_what_it_should() -> None:
    """A README has one example that runs (house style 13)."""
    (program,) = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.M | re.S)
    answer = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert answer.stderr == ""
    assert answer.stdout == "1 of 3\n2 of 3\n3 of 3\ndone\n"
