"""What a listener is told whose recommendations are poor or missing."""

import pytest

from crossfade.cli.people import what_is_missing
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
