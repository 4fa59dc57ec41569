"""`crossfade users add`, `tokens`, `listens`, `backup` and `restore`."""

import contextlib

import pytest

from crossfade.core.home import Home
from crossfade.stores.live import Listen, Track
from crossfade.stores.registry import open_live

AT = 1_763_640_000_000  # 2025-11-20 12:00 UTC
MINUTE = 60_000


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def ann(call, home):
    """The secret of an account."""
    added = call("users", "add", "ann", home=home)
    assert added.exit_code == 0
    return added.stdout.strip()


@contextlib.contextmanager
def opened(home):
    with contextlib.closing(open_live(Home(home))) as live:
        yield live


def test_an_account_comes_with_a_token_that_works(home, ann, asked, call):
    with opened(home) as live:
        assert live.authenticate(ann).user == "ann"
    assert asked("users", home=home)["accounts"] == ["ann"]
    assert "With an account: ann" in call("users", home=home).stderr
    assert call("users", "remove", "ann", home=home).exit_code == 0
    assert asked("users", home=home)["accounts"] == []


def test_commands_without_accounts_say_how_to_make_one(call, home):
    for command in (["tokens"], ["listens", "list", "ann"], ["backup", str(home / "b")], ["users", "remove", "x"]):
        told = call(*command, home=home)
        assert told.exit_code == 6
        assert "crossfade users add" in told.stderr
    assert not home.exists()


def test_a_token_is_made_listed_and_revoked(home, ann, asked, call):
    secret = call("tokens", "add", "ann", "--scope", "read", "--label", "radio", home=home).stdout.strip()
    password = call("tokens", "add", "ann", "--password", home=home).stdout.strip()
    listed = asked("tokens", home=home)["tokens"]
    assert [(one["label"], one["scopes"], one["password"]) for one in listed] == [
        ("first", ["manage", "read", "submit"], False),
        ("radio", ["read"], False),
        ("", ["manage", "read", "submit"], True),
    ]
    assert secret not in str(listed)
    assert password not in str(listed)
    assert call("tokens", "revoke", listed[1]["id"], home=home).exit_code == 0
    assert call("tokens", "revoke", listed[1]["id"], home=home).exit_code == 5
    with opened(home) as live:
        assert live.authenticate(secret) is None


@pytest.fixture
def played(home, ann):
    """Two sessions, an hour apart, and a later one by another artist."""
    minutes = [0, 20, 40, 100, 120]
    listens = [
        Listen(user="ann", listened_at=AT + at * MINUTE, track=Track(title=f"t{at}", artist="Low")) for at in minutes
    ]
    listens.append(Listen(user="ann", listened_at=AT + 999 * MINUTE, track=Track(title="Roads", artist="Portishead")))
    with opened(home) as live:
        live.add_listens(listens)
    return {one.track.title: one.id for one in listens}


def titles(asked, home):
    return [one["track"]["title"] for one in asked("listens", "list", "ann", home=home)["listens"]]


def test_listens_are_listed_newest_first(asked, call, home, played):
    assert titles(asked, home) == ["Roads", "t120", "t100", "t40", "t20", "t0"]
    assert "2025-11-20 12:20" in call("listens", "list", "ann", "--text", "T20", home=home).stdout


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--session", "t20"], ["Roads", "t120", "t100"]),
        (["--artist", "low"], ["Roads"]),
        (["--id", "t0", "--id", "Roads"], ["t120", "t100", "t40", "t20"]),
        (["--since", "2025-11-20T12:30", "--until", "2025-11-20T14:00+00:00"], ["Roads", "t120", "t20", "t0"]),
        (["--since", "2025-11-21"], ["t120", "t100", "t40", "t20", "t0"]),
        (["--all"], []),
    ],
)
def test_listens_are_deleted_by_what_is_said_of_them(asked, call, home, played, options, left):
    done = call("listens", "delete", "ann", *(played.get(one, one) for one in options), home=home)
    assert done.exit_code == 0, done.output
    assert titles(asked, home) == left


@pytest.mark.parametrize("options", [[], ["--all", "--text", "x"], ["--since", "yesterday"]])
def test_a_deletion_that_is_not_clear_deletes_nothing(asked, call, home, played, options):
    assert call("listens", "delete", "ann", *options, home=home).exit_code == 2
    assert len(titles(asked, home)) == 6


def test_a_backup_is_restored(asked, call, home, played, tmp_path):
    backup = tmp_path / "live.backup"
    assert call("backup", str(backup), home=home).exit_code == 0
    assert call("backup", str(backup), home=home).exit_code == 9
    call("listens", "delete", "ann", "--all", home=home)
    assert call("restore", str(backup), home=home).exit_code == 0
    assert len(titles(asked, home)) == 6
    assert call("restore", str(home), home=home).exit_code == 4
    assert call("restore", str(backup), home=tmp_path / "new").exit_code == 0
    assert len(titles(asked, tmp_path / "new")) == 6


def test_a_listener_who_is_forgotten_has_no_account(asked, call, home, played, tmp_path):
    history = tmp_path / "counts.csv"
    history.write_text("user,artist,plays\nann,Low,3\nbob,Low,4\n")
    call("users", "add", "bob", home=home)
    assert call("import", str(history), home=home).exit_code == 0
    assert call("forget", "ann", "--no-run", home=home).exit_code == 0
    assert asked("users", home=home)["accounts"] == ["bob"]


def test_damage_of_the_live_state_is_found(asked, call, home, played):
    assert asked("verify", home=home) == {"checked": 1, "damaged": []}
    file = home / "state.sqlite"
    content = bytearray(file.read_bytes())
    content[4096:] = bytes(len(content) - 4096)
    file.write_bytes(content)
    told = call("verify", home=home)
    assert told.exit_code == 7
    assert "restore a backup" in told.stderr
