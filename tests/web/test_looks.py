"""How the pages look and read: to screen readers, at phone width, dark and light; and what they load."""

import contextlib
import gzip
import http.server
import json
import re
import threading
from importlib import resources
from pathlib import Path

import pytest
from tests.web.conftest import HOSTILE, USER, within

from crossfade.cli.measuring import keep

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
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
TOO_WIDE = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
# What Chromium asks of its maker by itself; pages would load scripts and fonts from other hosts of it.
CHROMIUM_ITSELF = re.compile(r"(http://)?(accounts\.google\.com|(?!fonts|ajax)[\w-]+\.googleapis\.com)[:/]")
LONG = "\u202eW" * 80  # turns what follows, and breaks nowhere
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

    def look(at):
        settled(page)
        # What a policy of the page forbids to scripts in it, this may do: it is evaluated from outside.
        violations = page.evaluate("axe.run().then(result => result.violations)")
        found.update(
            ((at, one["id"]), [node["html"] for node in one["nodes"]][:3])
            for one in violations
            if one["impact"] in {"serious", "critical"}
        )

    for path in PAGES:
        page.goto(f"{library.address}/#{path}")
        look(path)
    page.goto(f"{library.address}/#/artist/demo:artist:1")
    page.get_by_role("button", name="Start radio", exact=True).click()
    page.get_by_role("region", name="Up next").wait_for()
    look("a station that plays")
    page.get_by_role("main").get_by_role("button", name=re.compile("^Why ")).first.click()
    look("a dialog")
    assert not found


def test_no_page_is_wider_than_the_window(open_page, library):
    page = open_page(**PHONE)
    wide = []
    for path in PAGES:
        page.set_viewport_size({"width": 360, "height": 740})
        page.goto(f"{library.address}/#{path}")
        settled(page)
        for width in (360, 768, 1360):
            page.set_viewport_size({"width": width, "height": 740})
            if page.evaluate(TOO_WIDE):
                wide.append((path, width))
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{library.address}/#/artist/demo:artist:1")
    page.get_by_role("button", name="Start radio", exact=True).tap()
    page.get_by_role("region", name="Up next").wait_for()
    if page.evaluate(TOO_WIDE):
        wide.append(("a station that plays", 360))
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
    within(5, lambda: dark(page))
    page.reload()
    page.get_by_role("heading", level=1).wait_for()
    within(5, lambda: dark(page))


def test_nothing_is_asked_of_another_machine(open_page, library, browser, elsewhere):
    page = open_page()
    for path in PAGES:
        page.goto(f"{library.address}/#{path}")
        settled(page)
    # Every request of the page is looked at in `open_page`. This sees what those events miss, such as icons, and what
    # Chromium asks of its maker by itself.
    _, asked = elsewhere
    assert not [one for one in asked if not CHROMIUM_ITSELF.match(one)]
    with contextlib.closing(browser.new_context()) as context:
        context.new_page().goto("http://elsewhere.test/")
    assert "http://elsewhere.test/" in asked  # the trap works
    asked.remove("http://elsewhere.test/")


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


def test_names_that_are_scripts_are_text_on_every_page(open_page, library):
    shown = {"name", "title", "text", "label", "artist", "album", "meaning", "detail"}

    def spoilt(value, field=""):
        if isinstance(value, dict):
            return {name: spoilt(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [spoilt(one, field) for one in value]
        return f"{HOSTILE}{value}{LONG}" if field in shown and isinstance(value, str) else value

    def answer(route):
        response = route.fetch()
        if response.headers.get("content-type", "").startswith("application/"):
            route.fulfill(response=response, json=spoilt(response.json()))
        else:
            route.fulfill(response=response)

    page = open_page(**PHONE)
    page.route("**/v1/**", answer)
    told, wide = 0, []
    for path in reversed(PAGES):
        page.goto(f"{library.address}/#{path}")
        settled(page)
        wide += [path] if page.evaluate(TOO_WIDE) else []
        told += page.get_by_text(HOSTILE).count()
        assert page.locator("img[src=x], main script").count() == 0, path
        assert page.title() != "owned", path
    assert told > 100
    assert not wide


@pytest.fixture
def another_server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"  # it answers that it has nothing
        server.shutdown()


def test_a_page_of_another_origin_reads_and_changes_nothing(open_page, library, another_server, api):
    """It is on the same machine, so that browsers hold it for the same site and send it our cookie."""
    before = api("GET", f"users/{USER}/blocks"), api("GET", f"users/{USER}/private")
    page = open_page()
    other = page.context.new_page()
    other.goto(another_server)
    told = other.evaluate(
        """async ([there, own]) => {
            const asked = (path, options) =>
                fetch(there + path, { credentials: 'include', ...options }).then(() => 'answered', () => 'refused')
            const body = JSON.stringify({ item: { kind: 'artist', id: 'demo:artist:1' } })
            const frame = Object.assign(document.createElement('iframe'), { src: there })
            document.body.append(frame)
            await new Promise((done) => (frame.onload = done))
            return [
                await asked(`/v1/${own}/listens`),
                await asked(`/v1/${own}/private`, { method: 'PUT', body: '{}', headers: { 'X-Crossfade': 'page' } }),
                await asked('/v1/session', { method: 'DELETE' }),
                await asked(`/v1/${own}/blocks`, { method: 'POST', body }),
                await asked(`/v1/${own}/blocks`, { method: 'POST', body, mode: 'no-cors' }),
                await asked('/v1/tracks/demo:track:1/audio', { mode: 'no-cors' }),
            ]
        }""",
        [library.address, f"users/{USER}"],
    )
    # What was sent without asking first was answered by 403: nothing of it is done.
    assert told == ["refused"] * 6
    assert other.frames[1].url.startswith("chrome-error:")
    assert (api("GET", f"users/{USER}/blocks"), api("GET", f"users/{USER}/private")) == before
    page.reload()
    expect(page.get_by_role("heading", name=f"Hello, {USER}")).to_be_visible()


def test_what_is_loaded_is_small():
    page = resources.files("crossfade.serve") / "page"
    loaded = [page / "index.html", *(page / "assets").iterdir()]
    assert sum(len(gzip.compress(one.read_bytes())) for one in loaded) < LARGEST


def test_cards_show_why_and_what_one_can_do_without_a_mouse(open_page):
    page = open_page()
    card = page.locator("section li[data-row]", has=page.get_by_role("button", name=re.compile("^Why "))).first
    expect(card).to_contain_text("Because you ")
    seen = "button => +getComputedStyle(button.closest('.tools, .play')).opacity"
    tools = [card.get_by_role("button", name=re.compile(f"^{name}")) for name in ("Play", "Why", "Not for me")]
    assert [tool.evaluate(seen) for tool in tools] == [0, 0, 0]
    card.get_by_role("link").first.focus()
    assert [tool.evaluate(seen) for tool in tools] == [1, 1, 1]
    heights = page.locator("[data-list]").evaluate_all("cards => cards.map(card => card.offsetHeight)")
    assert len(set(heights)) == 1


def test_a_map_has_the_colours_of_the_theme(open_page):
    page = open_page("/artist/demo:artist:1")
    settled(page)
    colours = page.locator("canvas").evaluate(
        """canvas => {
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
            return [...new Set(new Uint32Array(data.buffer))].map(one => [0, 8, 16].map(by => (one >> by) & 255))
        }"""
    )
    assert [111, 216, 180] in colours  # the accent of the dark theme, of what the page is about


def test_the_page_goes_on_when_the_server_is_back(open_page):
    page = open_page()
    page.context.set_offline(True)
    page.get_by_role("link", name="Genres").click()
    expect(page.get_by_text("This page goes on as soon as it does.")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("Most used")).to_be_visible()
    expect(page.get_by_text("This page goes on as soon as it does.")).to_have_count(0)


def test_an_evaluation_is_plotted_with_intervals_or_as_tables(open_page, library):
    estimate = {"value": 0.25, "low": 0.2, "high": 0.3}
    models = [{"model": name, "estimates": {"recall@20": estimate}} for name in ("als", "popularity")]
    keep(library.home, {"kind": "artist", "users": 60, "items": 60, "split": "a tenth hidden", "models": models})
    try:
        page = open_page("/system/evaluation")
        expect(page.get_by_role("list", name="Recall").get_by_role("listitem")).to_have_text(
            [re.compile("als"), re.compile("popularity")]
        )
        page.get_by_role("button", name="Tables").click()
        expect(page.get_by_role("row", name="als 0.250 0.200 0.300")).to_be_visible()
    finally:
        library.home.evaluation.unlink()


def test_the_page_can_be_kept_as_an_application(open_page, library):
    page = open_page(color_scheme="light")
    manifest = page.context.new_cdp_session(page).send("Page.getAppManifest")
    assert not manifest["errors"]
    icons = json.loads(manifest["data"])["icons"]
    assert {page.request.get(f"{library.address}/{icon['src']}").status for icon in icons} == {200}
    assert page.locator("meta[name=theme-color]").get_attribute("content") == "rgb(247, 247, 245)"
