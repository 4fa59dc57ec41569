"""What the web page takes in Chromium, on this machine's own network interface (Linux only).

    python -m benchmarks.page HOME [--user NAME] [--times 15] [--frames 3]

HOME is the home of `crossfade demo`, or of any library with a release. `--make` makes it first, if it is not there: an
invented world of 300,000 tracks by 29,000 artists with 4.7 million listens of 20,000 listeners, by ALS, in some 5
minutes of processor time. Measured are, each with its limit:

    paint         Home's first and largest contentful paint, with nothing in the browser's cache and with all of it
    interactions  from the input's own time stamp to the end of the frame that shows its result
    frames        of a second while a map of 300 artists settles, and while it is dragged, and what of a frame is ours
    bundle        what the page loads before it asks for data, compressed

Chromium draws by software here: where the machine has a GPU, frames cost less than is said.
"""

import argparse
import gzip
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from playwright.sync_api import Browser, BrowserContext, CDPSession, Locator, Page, sync_playwright

from benchmarks.load import served
from crossfade.core.home import Home
from crossfade.core.tables import EVERYONE
from crossfade.demo.importing import import_demo
from crossfade.demo.settings import DemoSettings
from crossfade.stores.registry import open_live, open_releases

WORLD = DemoSettings(listeners=20_000, artists=29_000, tracks_per_artist=10, playlists=2_000, plays_per_day=2.4)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--mute-audio", "--autoplay-policy=no-user-gesture-required"]
SCOPES = frozenset({"read", "submit", "manage", "admin"})
LARGEST_MAP = 300
SETTLE = 400  # milliseconds between two measures, in which the page comes to rest

_PAINTS = """
(settle) => new Promise((done) => {
  let largest = 0
  new PerformanceObserver((seen) => { for (const one of seen.getEntries()) largest = one.startTime })
    .observe({ type: 'largest-contentful-paint', buffered: true })
  setTimeout(() => done([-1, -1, -1]), 20_000)
  const look = () => {
    const [first] = performance.getEntriesByName('first-contentful-paint')
    if (!first || !document.querySelector('section li[data-row]')) return requestAnimationFrame(look)
    const picks = performance.now()
    setTimeout(() => done([first.startTime, largest, picks]), settle)
  }
  look()
})
"""
_ARMED = """
() => {
  let began
  addEventListener('%s', (event) => { began ??= event.timeStamp }, { capture: true, once: true })
  window.measured = new Promise((done) => {
    const channel = new MessageChannel() // its message comes when the frame has been painted
    channel.port1.onmessage = () => done(performance.now() - began)
    setTimeout(() => done(-1), 10_000)
    const look = () => (began !== undefined && (%s) ? channel.port2.postMessage(0) : requestAnimationFrame(look))
    requestAnimationFrame(look)
  })
}
"""
_FRAMES = """
(seconds) => new Promise((done) => {
  const began = performance.now()
  let [frames, drawn] = [0, 0]
  const clear = CanvasRenderingContext2D.prototype.clearRect
  CanvasRenderingContext2D.prototype.clearRect = function (...some) { drawn += 1; return clear.apply(this, some) }
  const count = () => {
    frames += 1
    const passed = (performance.now() - began) / 1000
    if (passed < seconds) return requestAnimationFrame(count)
    CanvasRenderingContext2D.prototype.clearRect = clear
    done([frames / passed, drawn / passed])
  }
  requestAnimationFrame(count)
})
"""
_DRAWN = "document.querySelector('canvas')?.width !== 300"  # the size of a canvas on which nothing was drawn yet


class Measured(NamedTuple):
    """A name, its measures in milliseconds or frames a second, and the limit, as it is said."""

    name: str
    values: Sequence[float]
    limit: str
    unit: str = "ms"

    def __str__(self) -> str:
        middle, high, worst = np.percentile(self.values, [50, 95, 100])
        told = f"p50 {middle:.0f}, p95 {high:.0f}, worst {worst:.0f} {self.unit}"
        if self.unit != "ms":
            told = f"{middle:.0f} {self.unit}, at least {min(self.values):.0f}"
        return f"{self.name}: {told}, {len(self.values)} times  (limit: {self.limit})"


class Visit:
    """Pages of one browser, signed in as a user of the library at ``address``."""

    def __init__(self, browser: Browser, address: str, token: str) -> None:
        self._browser, self.address = browser, address
        context = self.context()
        page = context.new_page()
        page.goto(f"{address}/#/enter/{token}")
        page.locator("section li[data-row]").first.wait_for()
        self._state = context.storage_state()
        context.close()

    def context(self, *, signed_in: bool = False) -> BrowserContext:
        """Return a browser of its own, with an empty cache."""
        state = self._state if signed_in else None
        return self._browser.new_context(viewport={"width": 1280, "height": 860}, storage_state=state)

    def at(self, page: Page, path: str) -> None:
        """Go to a page and wait for it to come to rest."""
        page.goto(f"{self.address}/#{path}")
        page.wait_for_load_state("networkidle")
        page.wait_for_timeout(SETTLE)


def taken(page: Page, event: str, shown: str, act: Callable[[], object]) -> float:
    """Return the milliseconds from the ``event`` that ``act`` causes to the paint after which ``shown`` is true."""
    page.evaluate(_ARMED % (event, shown))
    act()
    if (waited := float(page.evaluate("() => window.measured"))) < 0:
        raise SystemExit(f"The page never came to this: {shown}")
    return waited


def heading(name: str) -> str:
    """What is true of a page with this heading."""
    return f"document.querySelector('main h1')?.textContent === {quoted(name)}"


def quoted(text: str) -> str:
    """Return a text as JavaScript writes it."""
    return json.dumps(text)


def paints(visit: Visit, times: int) -> Iterator[Measured]:
    """Yield what it takes until Home is painted."""
    found: dict[str, list[list[float]]] = {"cold": [], "warm": []}
    for _ in range(times):
        context = visit.context(signed_in=True)
        for cache in found:
            page = context.new_page()
            page.goto(visit.address, wait_until="domcontentloaded")
            found[cache].append(page.evaluate(_PAINTS, SETTLE))
            page.close()
        context.close()
    for cache, values in found.items():
        for name, paint in zip(
            ("first paint", "largest paint", "the first picks"), zip(*values, strict=True), strict=True
        ):
            yield Measured(f"Home, {cache} cache, {name}", paint, "1,000 ms")


def interactions(visit: Visit, names: Sequence[str], times: int) -> Iterator[Measured]:
    """Yield what it takes until the page shows what an input asks for."""
    context = visit.context(signed_in=True)
    page = context.new_page()
    main = page.locator("main")
    found: dict[str, list[float]] = {}

    def measure(name: str, event: str, shown: str, act: Callable[[], object]) -> None:
        found.setdefault(name, []).append(taken(page, event, shown, act))
        page.wait_for_timeout(SETTLE)

    for name in names[:times]:
        visit.at(page, "/search")
        page.locator("[data-search]").fill(f"{name}qq")  # the last letter is taken away, and a name is found again
        page.wait_for_timeout(2 * SETTLE)
        shown = f"[...document.querySelectorAll('main [data-open]')].some(one => one.textContent === {quoted(name)})"
        page.keyboard.press("End")
        page.keyboard.press("Backspace")
        page.wait_for_timeout(2 * SETTLE)
        measure("search, a letter", "keydown", shown, partial(page.keyboard.press, "Backspace"))
        page.locator("[data-search]").fill(name)
        link = main.get_by_role("link", name=name, exact=True).first
        link.wait_for()
        page.wait_for_timeout(SETTLE)
        measure("open an artist", "click", heading(name), link.click)
        canvas = page.locator("canvas")
        canvas.wait_for()
        page.wait_for_timeout(SETTLE)
        canvas.focus()
        near = page.locator("[aria-live=polite]:not([role])")
        said = "document.querySelector('.map [aria-live]').textContent !== {}"
        measure("a step on the map", "keydown", said.format("''"), partial(canvas.press, "ArrowRight"))
        walked = heading(near.inner_text())
        measure("walk to an artist", "keydown", walked, partial(page.keyboard.press, "Enter"))
        play = main.locator("[data-row]").first
        title = play.locator("[data-open]").inner_text()
        play.hover()
        bar = "document.querySelector('section.bar')?.textContent"
        measure("play a track", "click", f"{bar}?.includes({quoted(title)})", play.locator("[data-play]").click)
        thumb = page.locator("section.bar").get_by_role("button", name="Thumb up")
        pressed = "document.querySelector('section.bar [aria-label^=\"Thumb up\"][aria-pressed=true]')"
        measure("thumb up", "click", pressed, thumb.click)

        visit.at(page, "/")
        card = main.locator("section li[data-row]", has=page.locator('[aria-label^="Not for me"]')).first
        card.hover()
        gone = f"!document.querySelector('section li[data-id=\"{card.get_attribute('data-id')}\"]')"
        dismiss = card.locator('[aria-label^="Not for me"]')
        measure("dismiss", "click", gone, dismiss.click)
        page.get_by_role("button", name="Undo").click()
        for link, ready in (("Genres", _DRAWN), ("You", "document.querySelector('main nav a[aria-current]')")):
            measure(f"open {link}", "click", ready, link_of(page, link).click)
        for tab in ("History", "Left out", "Players", "Account"):
            here = f"document.querySelector('main nav a[aria-current]')?.textContent === {quoted(tab)}"
            shown = f"{here} && !document.querySelector('main .bone')"
            measure("open History" if tab == "History" else "switch tabs", "click", shown, tab_of(page, tab).click)
    context.close()
    for name, values in found.items():
        yield Measured(name, values, "100 ms")


def link_of(page: Page, name: str) -> Locator:
    """Return the link of the navigation."""
    return page.get_by_role("navigation", name="Main").get_by_role("link", name=name)


def tab_of(page: Page, name: str) -> Locator:
    """Return the link of a part of a page."""
    return page.locator("main nav").get_by_role("link", name=name, exact=True)


def frames(visit: Visit, artist: str, times: int, seconds: float) -> Iterator[Measured]:
    """Yield the frames a second of a map of 300 artists while it settles, and while it is dragged."""
    settling, dragged, drawing = [], [], []
    for _ in range(times):
        context = visit.context(signed_in=True)
        page = context.new_page()
        page.route("**/map?size=*", lambda route: route.continue_(url=resized(route.request.url)))
        visit.at(page, "/genres")
        page.evaluate("(id) => { location.hash = `#/artist/${id}` }", artist)
        page.locator("canvas").wait_for()
        settling.append(page.evaluate(_FRAMES, seconds)[0])
        page.wait_for_timeout(4000)
        page.locator("canvas").scroll_into_view_if_needed()
        box: Any = page.locator("canvas").bounding_box()
        session = context.new_cdp_session(page)
        session.send("Performance.enable")
        before = busy(session)
        counting = page.evaluate_handle(f"(seconds) => ({{ ended: ({_FRAMES})(seconds) }})", seconds)
        page.mouse.move(box["x"] + 300, box["y"] + 200)
        page.mouse.down()
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            page.mouse.move(box["x"] + random.Random().uniform(200, 500), box["y"] + 200)
        found = counting.evaluate("(one) => one.ended")
        page.mouse.up()
        dragged.append(found[0])
        drawing.append(1000 * (busy(session) - before) / (found[1] * seconds))
        context.close()
    yield Measured(f"map of {LARGEST_MAP}, settling", settling, "50", "frames a second")
    yield Measured(f"map of {LARGEST_MAP}, dragged", dragged, "50", "frames a second")
    yield Measured("the page's own work in a frame that is dragged", drawing, "20 ms")


def busy(session: CDPSession) -> float:
    """Return the seconds that the page's main thread has worked."""
    return next(
        float(one["value"])
        for one in session.send("Performance.getMetrics")["metrics"]
        if one["name"] == "TaskDuration"
    )


def resized(url: str) -> str:
    """Return the address of the largest map in place of the one that the page asks for."""
    return f"{url.split('size=')[0]}size={LARGEST_MAP}"


def bundle() -> dict[str, int]:
    """Return the compressed bytes of every file of the built page that a browser loads."""
    place = resources.files("crossfade.serve") / "page"
    files = [place / "index.html", *(place / "assets").iterdir()]
    return {file.name: len(gzip.compress(file.read_bytes(), mtime=0)) for file in files}


def made(home: Home) -> None:
    """Make the library of `WORLD`, unless there is a release."""
    home.prepare()
    if not open_releases(home).versions():
        import_demo(home, WORLD)
        models = [word for name in ("als", "cultural", "popularity") for word in ("--model", name)]
        subprocess.run([sys.executable, "-m", "crossfade", "run", "--home", str(home.path), *models], check=True)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--make", action="store_true", help="make a library of 300,000 tracks there first")
    parser.add_argument("--user", help="whose page it is; by default a listener with much on it")
    parser.add_argument("--times", type=int, default=15, help="that each is measured")
    parser.add_argument("--seconds", type=float, default=3.0, help="of counting frames")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    chosen = parser.parse_args(arguments)
    home = Home(chosen.home)
    if chosen.make:
        made(home)
    with open_releases(home).open() as release:
        tables = release.tables
        table = f"discover-{'track' if 'discover-track' in tables.tables else 'artist'}"
        user = chosen.user or max(tables.users(limit=500), key=lambda one: tables.count(table, one))
        artists = tables.entries("popular-artist", EVERYONE, limit=100)
    names = [one.name for one in random.Random(0).sample(artists, len(artists))]
    live = open_live(home)
    live.add_user(user)
    token = live.add_token(user, scopes=SCOPES)[1]
    live.close()
    sizes = bundle()
    print(f"bundle: {sum(sizes.values()):,} bytes compressed  (limit: 200,000)", flush=True)
    with served(home.path, 1) as server, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chosen.chromium, args=ARGUMENTS)
        visit = Visit(browser, server.address, token)
        for one in paints(visit, chosen.times):
            print(one, flush=True)
        for one in interactions(visit, names, chosen.times):
            print(one, flush=True)
        for one in frames(visit, artists[0].id, 3, chosen.seconds):
            print(one, flush=True)
        browser.close()


if __name__ == "__main__":
    main()
