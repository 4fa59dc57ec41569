"""Podcasts, a family of kinds beside music, the whole way: Spotify's export, ALS, surfaces, search, HTTP."""

import asyncio
import json
import shutil
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from crossfade.cli import crossfade
from crossfade.core.home import Home
from crossfade.stores.registry import open_releases

pytest.importorskip("fastapi", reason="needs the extra `serve`")

TASTES, SHOWS, EPISODES, LISTENERS = 3, 6, 4, 36


def call(*arguments: str, home: Path) -> str:
    result = CliRunner().invoke(crossfade, [*arguments, "--home", str(home)])
    assert result.exit_code == 0, result.output
    return result.stdout


def asked(*arguments: str, home: Path) -> dict:
    return json.loads(call(*arguments, "--json", home=home))


def episode(show: int, number: int) -> str:
    return f"spotify:episode:{show:011d}{number:011d}"


def row(day: int, hour: int, **fields: object) -> dict:
    """A row of Spotify's extended streaming history, of an hour that was heard whole."""
    nothing = (
        "master_metadata_track_name",
        "master_metadata_album_artist_name",
        "master_metadata_album_album_name",
        "spotify_track_uri",
        "episode_name",
        "episode_show_name",
        "spotify_episode_uri",
    )
    return {
        "ts": f"2024-05-{day:02d}T{hour:02d}:30:00Z",
        "platform": "linux",
        "ms_played": 1_500_000,
        "conn_country": "SE",
        "reason_start": "clickrow",
        "reason_end": "trackdone",
        "shuffle": False,
        "skipped": False,
        "offline": False,
        "incognito_mode": False,
        **dict.fromkeys(nothing),
        **fields,
    }


def heard_by(listener: int) -> list[tuple[int, int]]:
    """(show, episode) of a listener of one taste: two episodes of each of four of its six shows."""
    taste, turn = listener % TASTES, listener // TASTES
    shows = [taste * SHOWS + (turn + step) % SHOWS for step in range(4)]
    return [(show, (turn + step) % EPISODES) for show in shows for step in range(2)]


def others(listener: int) -> set[int]:
    """The shows of a listener's taste that the listener has not heard."""
    taste = listener % TASTES
    return set(range(taste * SHOWS, (taste + 1) * SHOWS)) - {show for show, _ in heard_by(listener)}


def history_of(listener: int) -> list[dict]:
    rows = [
        row(
            1 + place,
            10,
            episode_name=f"Episode {number} of show {show}",
            episode_show_name=f"Show {show}",
            spotify_episode_uri=episode(show, number),
        )
        for place, (show, number) in enumerate(heard_by(listener))
    ]
    song = {"master_metadata_track_name": "Song", "spotify_track_uri": "spotify:track:0000000000000000000001"}
    return [*rows, row(20, 10, master_metadata_album_artist_name="Band", **song)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one export a listener, run with ALS."""
    place = tmp_path_factory.mktemp("podcasts")
    home = place / "home"
    for listener in range(LISTENERS):
        export = place / f"{listener}" / "Streaming_History_Audio_2024_0.json"
        export.parent.mkdir()
        export.write_text(json.dumps(history_of(listener)))
        (ledger,) = asked("import", str(export), "--user", f"u{listener:02d}", home=home)
        assert (ledger["plays"], ledger["dropped"]) == (9, {})
    (home / "crossfade.toml").write_text('[run]\nmodels = ["als"]\n')
    call("run", home=home)
    return home


def test_discover_lists_new_episodes_of_a_listeners_taste_with_shows_as_reasons(home):
    for listener in (0, 7, 20):
        page = asked("discover", f"u{listener:02d}", "--kind", "episode", home=home)
        heard, entries = heard_by(listener), page["entries"]
        shows = {show for show, _ in heard}
        for entry in entries:
            assert entry["id"] not in {episode(*one) for one in heard}
            assert entry["parent"]["kind"] == entry["reason"]["kind"] == "show"
            assert int(entry["reason"]["name"].removeprefix("Show ")) in shows
        # Of the listener's taste there are two more shows, and two episodes of each on a page.
        best = [int(entry["parent"]["name"].removeprefix("Show ")) for entry in entries[:4]]
        assert sorted(best) == sorted(2 * [*others(listener)])


def test_related_shows_are_of_the_same_taste(home):
    related = asked("related", "show 7", "--kind", "show", home=home)
    assert related["kind"] == "show"
    names = {entry["name"] for entry in related["entries"][:5]}
    assert names == {f"Show {show}" for show in range(6, 12)} - {"Show 7"}


def test_an_episode_counts_once_however_often_it_is_played_on(home, tmp_path):
    again = tmp_path / "Streaming_History_Audio_2024_1.json"
    show, number = heard_by(0)[0]
    once = history_of(0)[0]
    again.write_text(json.dumps([{**once, "ts": f"2024-06-{day:02d}T10:30:00Z"} for day in range(1, 6)]))
    copy = tmp_path / "home"
    shutil.copytree(home, copy, symlinks=True)
    call("import", str(again), "--user", "u00", home=copy)
    call("run", home=copy)
    found = asked("search", f"Episode {number} of show {show}", "--kind", "episode", home=copy)["items"]["episode"][0]
    before = asked("search", f"Episode {number} of show {show}", "--kind", "episode", home=home)["items"]["episode"][0]
    assert (found["listeners"], found["plays"]) == (before["listeners"], before["plays"])


def test_search_finds_shows_and_episodes(home):
    items = asked("search", "show 7", home=home)["items"]
    assert items["show"][0]["name"] == "Show 7"
    assert items["episode"][0]["parent"]["name"] == "Show 7"
    assert asked("search", "show 7", "--kind", "show", home=home)["items"].keys() == {"show"}


def test_the_routes_follow_from_the_kinds(home):
    from crossfade.serve.active import ActiveRelease
    from crossfade.serve.app import create_app
    from crossfade.serve.settings import ServeSettings

    served = ActiveRelease(open_releases(Home(home)))
    transport = httpx.ASGITransport(app=create_app(served, ServeSettings()))

    def answer(path: str, **parameters: str) -> dict:
        async def call() -> httpx.Response:
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.get(path, params=parameters)

        response = asyncio.run(call())
        assert response.status_code == 200, response.text
        return response.json()

    assert answer("/v1/shows/show 7")["item"]["name"] == "Show 7"
    related = answer("/v1/shows/Show 7/related")
    assert related["kind"] == "show"
    assert {entry["name"] for entry in related["entries"][:5]} <= {f"Show {number}" for number in range(6, 12)}
    page = answer("/v1/users/u00/discover", kind="episode")
    assert page["kind"] == "episode"
    assert {entry["reason"]["kind"] for entry in page["entries"]} == {"show"}
    assert answer("/v1/users/u00/discover", kind="episode", model="als")["entries"] == page["entries"]
    assert answer("/v1/search", q="show 7", kind="show")["items"]["show"]
    served.close()
