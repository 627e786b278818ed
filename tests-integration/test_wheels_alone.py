"""Every piece can be had alone: built, installed with what it declares, and used."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPT = HERE / "build_and_try_each.py"


@pytest.mark.long
@pytest.mark.time_limit(240)
def test_each_package_works_alone() -> None:
    """Each wheel brings its own modules and those below it, and does its one job.

    Source: DESIGN, "The packages".
    """
    done = subprocess.run(
        [sys.executable, SCRIPT], capture_output=True, text=True, timeout=230
    )
    assert done.returncode == 0, done.stdout + done.stderr
    tried = {
        line.partition(":")[0].partition("[")[0] for line in done.stdout.splitlines()
    }
    projects = HERE.parent.glob("packages/*/pyproject.toml")
    assert tried == {
        tomllib.loads(path.read_text())["project"]["name"] for path in projects
    }
