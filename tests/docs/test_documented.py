"""A setting, command or format that the docs do not show fails here."""

import re
from pathlib import Path

import pytest

from crossfade.cli.registry import COMMANDS
from crossfade.cli.settings_page import page
from crossfade.core.settings import documented
from crossfade.formats.registry import FORMATS
from crossfade.models.registry import MODELS
from crossfade.pipeline.settings import sections, settings_class

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_settings_is_that_of_the_code():
    assert (DOCS / "settings.md").read_text() == page(), "run `make docs`"


@pytest.mark.parametrize("section", sections())
def test_every_setting_says_what_it_means(section):
    for field in documented(settings_class(section)):
        assert field.meaning, f"{section}.{field.name} has no line of documentation"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command):
    assert f"## crossfade {command}" in (DOCS / "cli.md").read_text()


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_documented(name):
    assert f"`{name}`" in (DOCS / "formats.md").read_text()


@pytest.mark.parametrize("model", MODELS)
def test_every_model_has_a_page(model):
    assert (DOCS / "models" / f"{model}.md").is_file()


@pytest.mark.parametrize(
    "page", sorted(DOCS.parent.glob("*.md")) + sorted(DOCS.rglob("*.md")), ids=lambda page: page.name
)
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_guide_to_the_web_page_has_all_of_its_keys():
    strings = (DOCS.parent / "web" / "src" / "strings.ts").read_text()
    meanings = re.findall(r"\['.+', '(.+)'\],", strings.partition("  keys: {")[2])
    assert meanings
    guide = (DOCS / "guides" / "web-page.md").read_text().casefold()
    assert not [meaning for meaning in meanings if meaning.casefold() not in guide]
