"""How the pages look and read: to screen readers, at phone width, dark and light; and what they load."""

import gzip
import re
from importlib import resources
from pathlib import Path

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright: the group `test` has it").expect

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = [
    "/",
    "/search?q=a",
    "/artist/demo:artist:1",
    "/track/demo:track:1",
    "/radio",
    "/playlists",
    "/genres",
    "/you/taste",
    "/you/history",
    "/you/without",
    "/you/players",
    "/you/account",
    "/system/release",
    "/system/models",
    "/system/evaluation",
    "/system/imports",
    "/nowhere",
]
LARGEST = 200_000  # bytes of all that is loaded, gzipped


def settled(page):
    page.wait_for_load_state("networkidle")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core: make page")
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_serious(open_page, library, scheme):
    page = open_page(color_scheme=scheme)
    page.evaluate(AXE.read_text())
    found = {}
    for path in PAGES:
        page.goto(f"{library.address}/#{path}")
        settled(page)
        # What a policy of the page forbids to scripts in it, this may do: it is evaluated from outside.
        violations = page.evaluate("axe.run().then(result => result.violations)")
        found |= {
            (path, one["id"]): [node["html"] for node in one["nodes"]][:3]
            for one in violations
            if one["impact"] in {"serious", "critical"}
        }
    assert not found


def test_nothing_is_cut_off_at_phone_width(open_page, library):
    page = open_page(viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    wide = []
    for path in PAGES:
        page.goto(f"{library.address}/#{path}")
        settled(page)
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            wide.append(path)
    assert not wide
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Home").tap()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Hello")


def test_dark_and_light_follow_the_system_until_one_is_chosen(open_page):
    def dark(page):
        red, *_ = map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor")))
        return red < 128

    assert dark(open_page(color_scheme="dark"))
    page = open_page(color_scheme="light")
    assert not dark(page)
    page.get_by_role("button", name="Use the dark theme").click()
    assert dark(page)
    page.reload()
    page.get_by_role("heading", level=1).wait_for()
    assert dark(page)


def test_nothing_is_asked_of_another_machine(open_page, library, elsewhere):
    page = open_page()
    for path in PAGES:
        page.goto(f"{library.address}/#{path}")
        settled(page)
    # Every request of the page is looked at in `open_page`. This sees what those events miss, such as icons, and what
    # Chromium asks of its maker by itself.
    _, asked = elsewhere
    assert not [one for one in asked if "google" not in one]


def test_scripts_that_others_slip_in_do_not_run(open_page):
    page = open_page()
    refused = page.evaluate(
        """() => {
            const script = document.createElement('script')
            const ways = [
                () => { script.textContent = 'window.owned = 1'; document.body.append(script) },
                () => { document.body.innerHTML += '<img src=x onerror=window.owned=1>' },
            ]
            const tried = ways.map(way => { try { way(); return false } catch { return true } })
            return tried.every(Boolean)
        }"""
    )
    assert refused
    assert page.evaluate("window.owned") is None


def test_what_is_loaded_is_small():
    page = resources.files("crossfade.serve") / "page"
    loaded = [page / "index.html", *(page / "assets").iterdir()]
    assert sum(len(gzip.compress(one.read_bytes())) for one in loaded) < LARGEST
