"""Typed events as pyright sees them; mypy reads the same files with everything else.

The files in ``packages/*/tests/typing`` are for checkers only. A line that must be an
error has a ``type: ignore``; both checkers complain about one that is not needed, so a
wrong listener that is accepted is found as surely as a right one that is not.

Source: house style 8 and 11.
"""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = sorted(ROOT.glob("packages/*/tests/typing"))
#: The same checker twice; basedpyright brings the runtime that it needs with it.
CHECKERS = ["basedpyright", "pyright"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.parts[-3])
def test_pyright_finds_the_marked_errors_and_no_others(
    folder: Path, tmp_path: Path
) -> None:
    """Known events take right listeners only, in pyright as in mypy."""
    checker = next((name for name in CHECKERS if find_spec(name)), None)
    if checker is None:
        pytest.skip(f"needs {' or '.join(CHECKERS)}")
    settings = {
        # A file with an underscore declares what the others use, in mypy's terms.
        "include": [str(path) for path in folder.glob("[!_]*.py")],
        "extraPaths": [str(path) for path in ROOT.glob("packages/*/src")],
        "pythonVersion": "3.11",
        "typeCheckingMode": "standard",
        "enableTypeIgnoreComments": True,
        "reportUnnecessaryTypeIgnoreComment": "error",
    }
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    answer = subprocess.run(
        [
            *(sys.executable, "-m", checker),
            *("--project", str(tmp_path)),
            *("--pythonpath", sys.executable),  # whose packages are to be seen
        ],
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
