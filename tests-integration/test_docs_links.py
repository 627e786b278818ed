"""Every page of the documentation is in its index, and every link leads somewhere."""

import re
from inspect import iscoroutinefunction
from pathlib import Path

import pytest

from headrace.http import testing

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "packages/*/*.md", "benchmarks/**/*.md")
    for path in ROOT.glob(pattern)
)
LINK = re.compile(r"\]\(([^)#:\s\"]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link is the path of a file or a folder."""
    links = LINK.findall(page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_index_names_every_page() -> None:
    """`docs/README.md` links to each page beside it."""
    linked = set(LINK.findall((ROOT / "docs/README.md").read_text()))
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert linked == pages


def test_every_misbehaviour_has_its_outcome() -> None:
    """`docs/http.md` names each script of the hostile server (brief 5)."""
    page = (ROOT / "docs/http.md").read_text()
    scripts = [
        name for name in testing.__all__ if iscoroutinefunction(getattr(testing, name))
    ]
    assert [name for name in scripts if f"`{name}`" not in page] == []
