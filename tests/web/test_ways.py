"""The main ways through the web page, in a real browser."""

import re
import time
from urllib.parse import quote

import pytest
from tests.web.conftest import HOSTILE, USER, within

expect = pytest.importorskip("playwright.sync_api", reason="needs playwright: the group `test` has it").expect


def an_artist(api):
    return api("GET", f"users/{USER}/discover?kind=artist&limit=1")["entries"][0]


def queue_of(page):
    return (
        page.get_by_role("region", name="Up next")
        .locator("[data-row]")
        .evaluate_all("rows => rows.map(row => row.dataset.id)")
    )


def heard_beyond(page, seconds):
    """Wait until so much of the track was played; return how much."""
    position = page.get_by_role("slider", name="Position in the track")
    within(30, lambda: float(position.input_value()) > seconds)
    return float(position.input_value())


def listens_of(api):
    return api("GET", f"users/{USER}/listens")["listens"]


def start_radio(page, api):
    page.goto(re.sub("#.*", f"#/artist/{an_artist(api)['id']}", page.url))
    page.get_by_role("button", name="Start radio", exact=True).click()
    page.get_by_role("region", name="Up next").wait_for()


def drop(page, name, content):
    """Drop a file on the page."""
    opened = page.evaluate(
        """([name, content]) => {
            const dataTransfer = new DataTransfer()
            dataTransfer.items.add(new File([content], name))
            const event = { bubbles: true, cancelable: true, dataTransfer }
            return ['dragover', 'drop'].map((what) => document.body.dispatchEvent(new DragEvent(what, event)))
        }""",
        [name, content],
    )
    assert opened == [False, False]  # what the browser would do itself


def test_home_says_why_in_strips(open_page):
    page = open_page()
    expect(page.get_by_role("heading", name=re.compile("^Because you ")).first).to_be_visible()
    expect(page.get_by_role("heading", name="Made for you")).to_be_visible()


def test_search_finds_an_artist_as_one_types(open_page, api):
    artist = an_artist(api)
    page = open_page("/search")
    page.keyboard.type(artist["name"][:5], delay=20)
    page.locator(f'[data-id="{artist["id"]}"] a').first.click()
    expect(page.get_by_role("heading", level=1, name=artist["name"])).to_be_visible()


def test_the_map_is_walked_and_leads_to_another_artist(open_page, api):
    artist = an_artist(api)
    page = open_page(f"/artist/{artist['id']}")
    canvas = page.locator("canvas")
    canvas.focus()
    reached = page.locator("[aria-live=polite]:not([role])")
    for key in ("ArrowRight", "ArrowLeft", "ArrowUp", "ArrowDown"):
        if reached.inner_text() in {"", artist["name"]}:  # no artist lies that way, or the step went back
            canvas.press(key)
    name = reached.inner_text()
    assert name not in {"", artist["name"]}
    canvas.press("Enter")
    expect(page.get_by_role("heading", level=1, name=name)).to_be_visible()


def test_the_path_between_two_artists_is_shown(open_page, api):
    artist = an_artist(api)
    other = api("GET", f"artists/{artist['id']}/related?limit=5")["entries"][-1]
    page = open_page(f"/artist/{artist['id']}")
    page.get_by_role("combobox", name="Another artist").fill(other["name"])
    page.get_by_role("option").first.click()
    steps = page.locator("ol.line a")
    expect(steps.first).to_have_text(artist["name"])
    expect(steps.last).to_have_text(other["name"])


def test_thumbs_change_the_queue(open_page, api):
    page = open_page()
    start_radio(page, api)
    before = queue_of(page)
    playing = page.get_by_role("main").get_by_role("region", name="Player")
    playing.get_by_role("button", name=re.compile("^Thumb up")).click()
    expect(playing.get_by_role("button", name=re.compile("^Thumb up"))).to_have_attribute("aria-pressed", "true")
    # What was to come is replaced; without the thumb, more would only be added behind it.
    within(20, lambda: queue_of(page)[: len(before)] != before)
    title = playing.get_by_role("heading").inner_text()
    disliked = page.get_by_role("region", name="Up next").locator("[data-row]").first
    gone = disliked.get_attribute("data-id")
    disliked.get_by_role("button", name=re.compile("^Thumb down")).click()
    expect(page.locator(f'section ul [data-id="{gone}"]')).to_have_count(0)
    marks = api("GET", "stations?limit=1")["stations"][0]["marks"]
    assert [*marks.values()] == ["up", "down"]
    assert gone in marks
    expect(playing.get_by_role("heading")).to_have_text(title)
    playing.get_by_role("button", name="Skip").click()
    expect(playing.get_by_role("heading")).not_to_have_text(title)


def test_the_queue_is_ordered_by_mouse_and_by_keyboard(open_page, api):
    page = open_page()
    start_radio(page, api)
    before = queue_of(page)
    grips = page.get_by_role("region", name="Up next").get_by_role("button", name=re.compile("^Move "))
    grips.nth(0).drag_to(grips.nth(3), steps=8)
    assert queue_of(page) == [*before[1:4], before[0], *before[4:]]
    page.keyboard.press("ArrowUp")  # the one that was dragged
    assert queue_of(page) == [*before[1:3], before[0], *before[3:]]


def test_the_station_says_why(open_page, api):
    page = open_page()
    start_radio(page, api)
    page.get_by_role("main").get_by_role("button", name=re.compile("^Why ")).first.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Because")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_discover_says_why(open_page):
    page = open_page()
    card = page.locator('section[aria-label^="Because you "] li[data-id]').first
    card.hover()
    card.get_by_role("button", name=re.compile("^Why ")).click()
    expect(page.get_by_role("dialog")).to_contain_text("From your history")


def test_audio_plays_on_while_one_browses(open_page, api):
    page = open_page()
    start_radio(page, api)
    heard = heard_beyond(page, 0.4)
    page.get_by_role("link", name="Genres").click()
    expect(page.get_by_role("heading", level=1, name="Genres and tags")).to_be_visible()
    assert heard_beyond(page, 0) >= heard  # it did not begin anew
    heard_beyond(page, heard + 0.8)
    metadata = page.evaluate(
        "(({title, artist, artwork}) => [title, artist, artwork[0]])(navigator.mediaSession.metadata)"
    )
    assert all(metadata)
    assert page.title() == " · ".join(metadata[:2])
    paused = page.get_by_role("button", name="Play", exact=True).first
    page.keyboard.press("Space")
    expect(paused).to_be_visible()
    page.keyboard.press("Space")
    expect(paused).to_be_hidden()
    # Another tab that plays is heard instead.
    other = page.context.new_page()
    other.goto(page.url)
    start_radio(other, api)
    heard_beyond(other, 0.2)
    expect(paused).to_be_visible()


def test_what_was_heard_is_in_the_history(open_page, api, library):
    page = open_page()
    start_radio(page, api)
    title = page.get_by_role("main").get_by_role("region", name="Player").get_by_role("heading").inner_text()
    heard_beyond(page, 1.2)
    page.get_by_role("slider", name="Position in the track").fill("20")
    heard_beyond(page, 20.2)
    page.get_by_role("button", name="Next track").click()
    # That of a track that was loaded while another one played is known, too.
    expect(page.get_by_role("slider", name="Position in the track")).to_have_attribute("max", re.compile(r"^\d\d"))
    within(10, lambda: title in [one["track"].get("title") for one in listens_of(api)])
    assert listens_of(api)[0]["skipped"]  # what was jumped over was not heard


def test_home_shows_what_another_player_plays(open_page, api):
    """As long as it plays; what the page itself plays is not elsewhere."""
    page = open_page("/search")
    page.clock.install()
    (entry,) = api("GET", f"users/{USER}/discover?kind=track&limit=1")["entries"]
    track = {"item": {"kind": "track", "id": entry["id"]}, "title": entry["name"], "artist": "Somebody"}
    api("PUT", f"users/{USER}/playing", {"track": {**track, "title": "Elsewhere"}, "player": "Web page"})
    api("PUT", f"users/{USER}/playing", {"track": track, "player": "my phone"})
    page.goto(re.sub("#.*", "#/", page.url))
    playing = page.get_by_role("region", name="Playing on my phone")
    expect(playing.get_by_role("link", name=entry["name"])).to_be_visible()
    expect(page.get_by_text("Elsewhere")).to_have_count(0)
    api("DELETE", f"users/{USER}/playing?player=my phone")
    api("DELETE", f"users/{USER}/playing?player=Web page")
    page.clock.run_for(11_000)
    expect(playing).to_have_count(0)


def test_what_is_heard_while_the_server_is_gone_is_told_later(open_page, api):
    page = open_page()
    start_radio(page, api)
    title = page.get_by_role("main").get_by_role("region", name="Player").get_by_role("heading").inner_text()
    heard_beyond(page, 1.2)
    page.evaluate(
        """() => {
            window.before = fetch
            const gone = (url) => url.endsWith('/listens') && Promise.reject(new TypeError())
            window.fetch = (url, options) => gone(url) || before(url, options)
        }"""
    )
    page.get_by_role("button", name="Next track").click()
    heard_beyond(page, 1.2)
    page.evaluate("() => { window.fetch = before }")
    with page.expect_response("**/listens") as told:
        page.get_by_role("button", name="Next track").click()
    assert told.value.json()["added"] == 2
    assert title in [one["track"]["title"] for one in listens_of(api)[:2]]


def test_a_private_session_shows_and_keeps_nothing(open_page, api):
    page = open_page()
    before = listens_of(api)
    page.get_by_role("button", name="Start a private session").click()
    expect(page.get_by_text("Private session.")).to_be_visible()
    assert api("GET", f"users/{USER}/private")["until"]
    start_radio(page, api)
    heard_beyond(page, 1.2)
    with page.expect_response("**/listens") as told:
        page.get_by_role("button", name="Next track").click()
    assert told.value.json()["added"] == 0
    assert listens_of(api) == before
    assert not api("GET", f"users/{USER}/playing")["playing"]
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.get_by_text("Private session.")).to_be_visible()
    page.get_by_role("button", name="End it").click()
    expect(other.get_by_text("Private session.")).to_have_count(0)
    expect(page.get_by_text("Private session.")).to_have_count(0)
    assert "until" not in api("GET", f"users/{USER}/private")


def test_what_is_dismissed_stays_away_until_it_is_undone(open_page):
    page = open_page()
    card = page.locator('section[aria-label^="Because you "] li[data-id]').first
    item = card.get_attribute("data-id")
    card.hover()
    card.get_by_role("button", name=re.compile("^Not for me")).click()
    there = page.locator(f'section li[data-id="{item}"]')
    expect(there).to_have_count(0)
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name=re.compile("^Because you ")).first).to_be_visible()
    expect(there).to_have_count(0)
    page.goto(re.sub("#.*", "#/you/without", page.url))
    page.get_by_role("button", name=re.compile("^Allow ")).first.click()
    expect(page.get_by_text("may be recommended again")).to_be_visible()
    page.get_by_role("link", name="Home").click()
    expect(there.first).to_be_visible()


def test_undo_brings_a_card_back(open_page):
    page = open_page()
    card = page.locator('section[aria-label^="Because you "] li[data-id]').first
    item = card.get_attribute("data-id")
    card.hover()
    card.get_by_role("button", name=re.compile("^Not for me")).click()
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(f'section li[data-id="{item}"]').first).to_be_visible()


def test_listens_are_deleted_and_hostile_names_are_text(open_page, api):
    at = int(time.time() * 1000) - 86_400_000  # before all private sessions: what reaches into one is not kept
    tracks = [{"title": HOSTILE, "artist": HOSTILE}, {"title": "Sleep sounds", "artist": "Rain"}]
    listens = [{"listened_at": at - 5000 * place, "track": track} for place, track in enumerate(tracks)]
    api("POST", f"users/{USER}/listens", {"listens": listens})
    page = open_page("/you/history")
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    assert page.title() != "owned"
    page.get_by_role("searchbox", name="Search your history").fill("sleep")
    page.get_by_role("button", name="Delete the play of Sleep sounds").click()
    expect(page.get_by_text("No play fits the search.")).to_be_visible()
    page.get_by_role("searchbox", name="Search your history").fill("onerror")
    expect(page.get_by_text("1 play", exact=True)).to_be_visible()
    page.get_by_role("button", name="Delete all 1 play found").click()
    expect(page.get_by_text("No play fits the search.")).to_be_visible()
    assert api("GET", f"users/{USER}/listens?text=onerror")["total"] == 0


def test_imported_plays_are_searched_too(open_page, api):
    first = api("GET", f"users/{USER}/imported?limit=1")["plays"][0]
    page = open_page("/you/history")
    imported = page.get_by_role("region", name="Imported")
    expect(imported.get_by_role("link", name=first["item"]["name"]).first).to_be_visible()
    page.get_by_role("searchbox", name="Search your history").fill(first["parent"]["name"])
    count = api("GET", f"users/{USER}/imported?text={quote(first['parent']['name'])}")["total"]
    expect(imported.get_by_text(f"{count} play")).to_be_visible()
    expect(imported.get_by_text(first["parent"]["name"]).first).to_be_visible()


def test_a_playlist_is_made_continued_and_edited(open_page, api):
    title = f"{api('GET', 'tags')['tags'][0]['name']} {HOSTILE}"
    page = open_page("/playlists")
    page.get_by_label("Title").fill(title)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("textbox", name="Rename")).to_have_value(title)
    rows = page.locator("ol [data-row]")
    count = rows.count()
    page.get_by_role("button", name=re.compile("^Add .* to the playlist$")).first.click()
    expect(rows).to_have_count(count + 1)
    rows.first.get_by_role("button", name=re.compile("^Remove ")).click()
    expect(rows).to_have_count(count)
    page.locator(".toast", has_text="was removed").get_by_role("button", name="Undo").click()
    expect(rows).to_have_count(count + 1)
    # A file may have a track twice: one of them is removed.
    playlist = f"playlists/{page.url.rpartition('/')[2]}"
    within(10, lambda: len(api("GET", playlist)["tracks"]) == count + 1)
    first = api("GET", playlist)["tracks"][0]
    kind, item = first["item"]
    api("PUT", playlist, {"tracks": [{"title": first["title"], "item": {"kind": kind, "id": item}}] * 3})
    page.reload()
    expect(rows).to_have_count(3)
    removing = rows.first.get_by_role("button", name=re.compile("^Remove "))
    removing.click()
    removing.click()
    expect(rows).to_have_count(1)
    undo = page.get_by_role("status").get_by_role("button", name="Undo")
    expect(undo).to_have_count(2)
    undo.first.click()
    expect(rows).to_have_count(2)
    within(10, lambda: len(api("GET", playlist)["tracks"]) == 2)
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Playlists")).to_be_visible()
    assert page.title() != "owned"


def test_a_library_without_a_release_says_what_to_do(open_page, bare):
    page = open_page(at=bare)
    expect(page.get_by_role("heading", name="The library has no release yet")).to_be_visible()
    page.get_by_role("link", name="Import and run").click()
    expect(page.get_by_role("heading", name="Nothing was imported yet")).to_be_visible()


def test_a_dropped_file_is_imported_with_its_ledger(open_page, bare):
    page = open_page("/system/imports", at=bare)
    page.get_by_text("Choose a file").wait_for()
    rows = ["uts,utc_time,artist,artist_mbid,album,album_mbid,track,track_mbid"]
    rows += [f"{1_700_000_000 + 300 * n},,Portishead,,Dummy,,Roads {n}," for n in range(4)] + [
        "never,,Nobody,,,,None,,"
    ]
    drop(page, "scrobbles.csv", "\n".join(rows))
    ledger = page.locator("[data-import]")
    expect(ledger.locator("dd")).to_have_text(["5", "4", "1"], timeout=60_000)  # rows read, plays, dropped
    ledger.get_by_text("What was dropped, and why").click()
    expect(ledger.locator("table")).to_contain_text("1")
    page.get_by_role("button", name="Run the pipeline").click()
    stop = page.get_by_role("button", name="Stop", exact=True)
    stop.wait_for()
    drop(page, "more.csv", "x")
    expect(page.get_by_text("more.csv was not sent")).to_be_visible()
    stop.click()
    expect(page.get_by_text("Interrupted")).to_be_visible()
    expect(page.get_by_text("What was complete is kept")).to_be_visible()


def test_a_demo_world_says_where_a_dropped_file_belongs(open_page):
    page = open_page()
    sent = []
    page.on("request", lambda request: sent.append(request.url) if "imports?name" in request.url else None)
    drop(page, "mine.csv", "x")  # on Home, which takes none
    expect(page.get_by_text("crossfade import FILE --home DIRECTORY")).to_be_visible()
    expect(page.get_by_text("mine.csv was not sent")).to_be_visible()
    assert not sent


def test_the_page_works_by_keyboard_alone(open_page, api):
    page = open_page()
    page.locator('section[aria-label^="Because you "] li[data-id]').first.wait_for()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.closest('[data-row]').innerText")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('[data-row]').innerText") != first
    page.keyboard.press("k")
    page.keyboard.press("p")
    expect(page.get_by_role("region", name="Player")).to_be_visible()
    page.keyboard.press("u")
    expect(page.get_by_role("button", name=re.compile("^Thumb up")).first).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox", name=re.compile("^Search"))).to_be_focused()


def test_tokens_are_made_and_revoked(open_page):
    page = open_page("/you/players")
    page.get_by_role("textbox", name="What it is for").fill("Kitchen radio")
    page.get_by_role("button", name="Make a token").click()
    expect(page.get_by_text(re.compile("^cf_[0-9a-f_]+$"))).to_be_visible()
    page.get_by_role("button", name="Revoke Kitchen radio").click()
    expect(page.get_by_role("button", name="Revoke Kitchen radio")).to_have_count(0)


def test_signing_out_ends_the_session(open_page):
    page = open_page("/you/account")
    page.get_by_role("button", name="Sign out of this browser").click()
    expect(page.get_by_role("heading", name="Sign in with a token")).to_be_visible()
    page.get_by_role("textbox", name="Token").fill("cf_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not valid")


def test_playing_stops_where_the_session_has_ended(open_page, api):
    page = open_page()
    start_radio(page, api)
    heard_beyond(page, 0.2)
    session = next(one for one in reversed(api("GET", f"users/{USER}/tokens")["tokens"]) if one["label"] == "Web page")
    api("DELETE", f"users/{USER}/tokens?token={session['id']}")
    page.get_by_role("link", name="Playlists").click()
    expect(page.get_by_role("heading", name="Sign in with a token")).to_be_visible()
    within(10, lambda: page.title() == "Crossfade")  # no title of a track


def test_a_link_that_is_over_opens_the_page_or_says_so(open_page, library):
    page = open_page()
    page.goto(f"{library.address}/#/enter/cf_0_0")
    expect(page.get_by_role("heading", name=f"Hello, {USER}")).to_be_visible()
    expect(page.get_by_text(f"You are still signed in as {USER}.")).to_be_visible()
    page.context.clear_cookies()
    for link in ("cf_0_0", "%"):
        page.goto("about:blank")
        page.goto(f"{library.address}/#/enter/{link}")
        expect(page.get_by_role("alert")).to_contain_text("used before")
        expect(page.get_by_text("crossfade serve --open")).to_be_visible()
    page.goto(f"{library.address}/#/enter/cf_1_1")  # in the page that is open already
    expect(page).to_have_url(f"{library.address}/#/")
    page.goto("about:blank")
    page.goto(f"{library.address}/#/enter/")
    expect(page.get_by_role("heading", name="Sign in with a token")).to_be_visible()


def test_the_token_of_the_address_stays_in_no_history(open_page):
    page = open_page()
    history = page.context.new_cdp_session(page).send("Page.getNavigationHistory")
    assert not [one for one in history["entries"] if "enter" in one["url"]]
