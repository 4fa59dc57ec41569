"""What a listener is told whose recommendations are poor or missing."""

import pytest

from crossfade.cli.ask import _table_of_user
from crossfade.cli.people import what_is_missing
from crossfade.core.errors import UnknownIdError
from crossfade.stores.contract import TableInfo
from crossfade.surfaces.reach import Reach


@pytest.mark.parametrize(
    ("reach", "told"),
    [
        (Reach(listeners=1, plays=900, shared=0), "only one listener"),
        (Reach(listeners=3, plays=900, shared=800), "only 3 listeners"),
        (Reach(listeners=1893, plays=100, shared=8), "Only 8% of the plays of ann"),
        (Reach(listeners=1893, plays=100, shared=50), None),
        (Reach(listeners=1893, plays=0, shared=0), None),
    ],
)
def test_what_is_missing_is_said_with_its_number_and_where_to_get_more(reach, told):
    said = what_is_missing(reach, "ann")
    if told is None:
        assert said is None
    else:
        assert told in said
        assert "https://grouplens.org/datasets/hetrec-2011/" in said
        assert "docs/guides/self-hoster.md" in said


def test_one_persons_export_alone_says_what_is_missing(call, asked, tmp_path):
    history = tmp_path / "lastfm.csv"
    history.write_text("".join(f'Band {n % 9},,Song {n % 4},"{n + 1:02} Mar 2024, 12:00"\n' for n in range(30)))
    home = tmp_path / "home"
    home.mkdir()
    (home / "crossfade.toml").write_text('[run]\nmodels = ["als"]\n\n[models.als]\nfactors = 8\niterations = 1\n')
    assert call("import", str(history), home=home).exit_code == 0
    assert "This library has only one listener" in call("run", home=home).stderr
    page = asked("discover", home=home)
    assert (page["surface"], page["key"], page["entries"]) == ("discover", "me", [])
    assert page["note"].startswith("No recommendations for 'me' yet. This library has only one listener")
    # Somebody who has no history at all still gets what is popular.
    assert asked("discover", "nobody", home=home)["surface"] == "popular"


class _Lists:
    """Tables in which some users have lists of artists only."""

    def __init__(self) -> None:
        self.tables = {
            f"discover-{kind}": TableInfo(name=f"discover-{kind}", surface="discover", key="user", kind=kind, keys=1)
            for kind in ("track", "artist")
        }
        self.lists = {("discover-artist", "set:2"), ("discover-track", "ann"), ("discover-artist", "ann")}

    def user(self, text: str) -> str:
        if text == "nobody":
            raise UnknownIdError("there is no such user")
        return {"2": "set:2"}.get(text, text)

    def count(self, table: str, key: str) -> int:
        if (table, key) not in self.lists:
            raise UnknownIdError("no list")
        return 1


@pytest.mark.parametrize(("user", "kind"), [("2", "artist"), ("ann", "track"), ("nobody", "track")])
def test_a_user_without_a_list_of_the_main_kind_gets_that_of_another(user, kind):
    lists = _Lists()
    assert _table_of_user(lists, lists.tables["discover-track"], user).kind == kind
