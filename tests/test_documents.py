"""The documents beside the code: their drawings and links are true."""

import re
from pathlib import Path

import pytest

from app.core.incidents import KINDS, IncidentKind
from app.telemetry import Metrics
from docs.draw import PAGE, drawn

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/*.md")])
_LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#]+)(#[^)]*)?\)")
_FILE = re.compile(r"`((?:app|workers|tests|docs|deploy)/[\w/.]+\.\w+)`")
README_WORDS = 2000


def test_the_drawings_show_the_contracts() -> None:
    page = PAGE.read_text()
    assert drawn(page) == page, "make pictures"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda it: it.relative_to(ROOT).as_posix())
def test_each_link_leads_somewhere(document: Path) -> None:
    for target, _ in _LINK.findall(document.read_text()):
        assert (document.parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda it: it.relative_to(ROOT).as_posix())
def test_each_file_that_is_named_exists(document: Path) -> None:
    for path in re.findall(
        r"`((?:app|workers|tests|docs|deploy)/[\w/.]+\.\w+)`", document.read_text()
    ):
        assert (ROOT / path).exists(), path


def test_the_readme_is_read_in_five_minutes() -> None:
    assert len((ROOT / "README.md").read_text().split()) < README_WORDS


def test_every_decision_says_why() -> None:
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [it.name[:4] for it in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    for record in records:
        for heading in ("## Context", "## Decision", "## Consequences"):
            assert heading in record.read_text(), record.name


def test_the_runbook_has_each_kind_of_incident() -> None:
    """With its title, which is what a message shows."""
    runbook = (ROOT / "deploy" / "runbook.md").read_text().split("\n## Incidents\n")[1]
    headings = re.findall(r"^### (.+)$", runbook, re.MULTILINE)
    assert headings == [f"{kind.value}: {KINDS[kind].title}" for kind in IncidentKind]


def test_each_metric_is_described() -> None:
    """By the name that is scraped; what more the page says of it is held to it elsewhere."""
    scraped = set(re.findall(r"^# TYPE (\w+) ", Metrics().render().decode(), re.MULTILINE))
    page = (ROOT / "deploy" / "metrics.md").read_text()
    assert set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == scraped
