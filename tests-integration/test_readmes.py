"""What the READMEs show runs as it stands there.

Source: house style 13.
"""

import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from headrace import http

ROOT = Path(__file__).parent.parent
PACKAGES = sorted(path.parent for path in ROOT.glob("packages/*/pyproject.toml"))
CODE_PACKAGES = [path for path in PACKAGES if (path / "src").is_dir()]


def programs(readme: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", readme.read_text(), re.DOTALL | re.M)


@pytest.mark.parametrize("package", CODE_PACKAGES, ids=lambda path: path.name)
def test_examples_of_a_package_run(package: Path) -> None:
    """Each example of a package's README is a program that ends well and warns of
    nothing."""
    shown = programs(package / "README.md")
    assert shown
    for program in shown:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (done.returncode, done.stderr) == (0, "")


async def test_the_first_readme_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server and the client of the first page understand each other."""
    server, client = programs(ROOT / "README.md")
    namespace: dict[str, Any] = {}
    monkeypatch.setattr(http, "run", lambda main: None)  # it would serve for ever
    exec(server, namespace)
    exec(client, namespace)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        await namespace["main"]()
    assert printed.getvalue() == "200 hello from headrace\n\n"
