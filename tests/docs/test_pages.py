"""The pages hang together: links lead somewhere, every page is in the menu, pictures are small."""

import re
from pathlib import Path

import pytest
import yaml

from credence.core.registry import available_kinds
from docs.generate_reference import PAGES as GENERATED
from tests.support.doc_blocks import PAGES, ROOT

DOCS = ROOT / "docs"
WINGS = {f.parent.name for f in (ROOT / "credence").glob("*/__init__.py")}
FIRST_LINES = ("After this page", "Look up")


def text_of(page: Path) -> str:
    """The page's text; a generated one is made."""
    name = page.relative_to(DOCS).as_posix() if page.is_relative_to(DOCS) else ""
    return GENERATED[name]() if name in GENERATED else page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", page.read_text(encoding="utf-8")):
        found = (page.parent / target).resolve() if target else page
        generated = found.is_relative_to(DOCS) and found.relative_to(DOCS).as_posix() in GENERATED
        assert found.exists() or generated, f"{page.name} links to {target}"
        assert not anchor or anchor in anchors(found), f"{page.name} links to {target}#{anchor}"


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda p: str(p.relative_to(DOCS)))
def test_a_page_begins_with_what_the_reader_can_do(page: Path) -> None:
    title, _, first = page.read_text(encoding="utf-8").partition("\n\n")
    assert title.startswith("# ")
    assert page.name == "index.md" or first.startswith(FIRST_LINES), f"{page}: say first what it is good for"


def test_every_page_is_in_the_menu() -> None:
    menu = re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    pages = {p.relative_to(DOCS).as_posix() for p in DOCS.rglob("*.md")} | set(GENERATED)
    assert sorted(menu) == sorted(pages)


@pytest.mark.parametrize("picture", sorted((DOCS / "img").iterdir()), ids=lambda p: p.name)
def test_a_picture_is_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size < 200_000
    assert any(f"img/{picture.name}" in p.read_text(encoding="utf-8") for p in PAGES)


def test_the_readme_is_short_and_maps_every_wing() -> None:
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) <= 120
    place = readme[readme.index("## Map") :]
    folders = ["tasks", "prompts", "stacks", "pipelines", "steps", "bentos", "tests", "docs", "benchmarks", "cli"]
    assert not [name for name in [*folders, *WINGS] if not re.search(rf"\b{name}\b", place)]


def test_the_readme_counts_the_kinds() -> None:
    assert f"{len(available_kinds('models'))} kinds" in (ROOT / "README.md").read_text()


def test_the_architecture_page_says_what_every_wing_is() -> None:
    page = (DOCS / "explanation/architecture.md").read_text()
    sections = dict(re.findall(r"^### ([\w, ]+)\n\n(.+?)(?=\n\n##|\Z)", page, re.MULTILINE | re.DOTALL))
    assert set(sections) >= WINGS | {"bentos"}
    for name, text in sections.items():
        assert len(text.splitlines()) <= 10, f"{name} has more than ten lines"
        assert "import" in text.lower(), f"{name} does not say who may import it"


def test_the_menu_is_plain_yaml() -> None:
    text = (ROOT / "mkdocs.yml").read_text().replace("!!python/name:", "")
    assert yaml.safe_load(text)["strict"] is True
