"""What the server learned from is forgotten: afterwards no byte of it is in the home, nor was it ever logged."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.pipeline.test_forgetting import SETTINGS, rows, served, traces

from crossfade.importing.imports import import_paths
from crossfade.pipeline.run import run
from crossfade.pipeline.runner import UNWATCHED
from crossfade.serve.learning import Learning

LISTENED, PRIVATE, USER = ("zyzzyva", "quixotic"), ("xanthippe", "obsidian"), "annika"

AT = 1_701_000_000_000


@pytest.fixture
def library(unpublished, client_of, tmp_path, monkeypatch):
    """A served library that learned from a file, a learner that learns in this process, and a client."""
    unpublished.home.settings_file.write_text(SETTINGS)
    for name in ("bob", "carl", "dora"):
        (tmp_path / f"{name}.csv").write_text(rows(name, "Can", "Neu", "Faust"))
        import_paths(unpublished.home, [tmp_path / f"{name}.csv"])
    run(unpublished.home, UNWATCHED)
    learner = Learning(unpublished.live, [], 60)

    def status():
        with ThreadPoolExecutor(1) as aside:
            learned = aside.submit(run, unpublished.home, UNWATCHED)
            # A release is removed once the server has turned to the next one, as it does while another process learns.
            while not learned.done():
                time.sleep(0.02)
                unpublished.active.turn()
            return 0 if learned.result() else 1

    monkeypatch.setattr(learner, "_status", status)
    return unpublished, learner, client_of(unpublished.app)


def now():
    return time.time_ns() // 1_000_000


class Player:
    """Uses all of the API that keeps something, with the user's token."""

    def __init__(self, library):
        self.served, _, self.client = library
        self.served.live.add_user(USER)
        self.headers = {"Authorization": f"Token {self.served.live.add_token(USER)[1]}"}

    def ask(self, method, path, body=None, **options):
        if body is not None:
            options["json"] = body
        answer = self.client.request(method, path, headers=self.headers, **options)
        assert answer.status_code < 300, answer.text

    def mine(self, method, path, body=None):
        self.ask(method, f"/v1/users/{USER}/{path}", body)

    def plays(self, artist, title, at):
        track = {"artist": artist, "title": title}
        listens = [{"listened_at": at + n * 400_000, "track": track, "ms_played": 200_000} for n in range(6)]
        self.mine("POST", "listens", {"listens": listens})
        self.mine("PUT", "playing", {"track": track, "player": "phone"})
        for value in (1, 0):
            self.mine("POST", "feedback", {"feedback": [{"sort": "thumb", "value": value, "track": track}]})

    def asks_for_everything(self, *, keep=False):
        """Ask for whatever is made of what the user played, and may be remembered; ``keep`` stations and playlists."""
        self.mine("GET", "discover")
        self.mine("GET", "listens")
        self.ask("GET", "/v1/playlists")
        self.ask("GET", f"/1/user/{USER}/playlists/createdfor")
        self.ask("GET", "/v1/playlists/forgotten")
        self.ask("POST", "/v1/now-playing", {"queue": ["name:can"]})
        self.ask("POST", "/v1/playlists/generate", {"seeds": [{"kind": "artist", "id": "Can"}], "keep": keep})
        self.ask("POST", "/v1/stations", {"seeds": [{"kind": "artist", "id": "Can"}], "count": 5, "keep": keep})


def test_of_what_was_learned_and_deleted_or_played_in_private_no_byte_is_left(library, caplog):
    caplog.set_level(logging.DEBUG)
    unpublished, learner, _ = library
    home, player = unpublished.home, Player(library)
    player.plays("Can", "Halleluhwah", AT)
    player.plays("Zyzzyva Ensemble", "Quixotic Song", AT + 10_000_000)
    player.mine("PUT", "private", {"minutes": 60})
    player.plays("Xanthippe", "Obsidian", now())
    player.asks_for_everything(keep=True)
    player.mine("DELETE", "private")
    player.plays("Can", "Halleluhwah", AT + 20_000_000)
    assert learner.catch_up()
    unpublished.active.turn()
    assert USER in served(home)[1]
    player.asks_for_everything()
    places = {path.relative_to(home.path).parts[0] for _, path in traces(home, *LISTENED)}
    assert {"listens", "releases", "runs"} <= places
    assert any(place.startswith("state.sqlite") for place in places)
    assert not traces(home, *PRIVATE)
    player.ask("DELETE", f"/v1/users/{USER}/listens?artist=zyzzyva%20ensemble")
    assert learner.catch_up()
    player.asks_for_everything()
    assert USER in served(home)[1]
    assert not traces(home, *LISTENED, *PRIVATE)
    unpublished.live.backup(home.path / "backup")
    assert traces(home, USER)
    assert not traces(home, *LISTENED, *PRIVATE)
    (home.path / "backup").unlink()
    unpublished.live.remove_user(USER)
    assert learner.catch_up()
    assert not traces(home, USER, *LISTENED, *PRIVATE)
    measured = player.client.get("/metrics").text.lower()
    logged = [one.getMessage().lower() for one in caplog.records if one.name.startswith("crossfade")]
    assert logged
    assert not [text for text in (*LISTENED, *PRIVATE, USER) if text in " ".join([measured, *logged])]
