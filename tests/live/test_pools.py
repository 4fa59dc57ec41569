"""What a seed stands for in a release."""

import pytest

from crossfade.core.errors import InputError, NotReadyError, UnknownIdError
from crossfade.live.pools import ReleasePools
from crossfade.stores.contract import Named
from crossfade.stores.live import ItemRef


def ids(sources):
    return [one.id for one in sources]


def test_a_track_is_its_own_source(pools):
    (source,) = pools.sources([("track", "Song a03-5")])
    assert (source.id, source.itself, source.share) == ("a03-5", None, 1.0)
    assert [entry.id for entry in pools("a03-5")] == [
        entry.id for entry in pools.opened.release.tables.entries("radio-track", "a03-5")
    ]


def test_an_artist_is_its_popular_tracks_which_play_too(pools):
    sources = pools.sources([("artist", "Band 03")])
    assert ids(sources) == [f"a03-{place}" for place in range(8)]
    assert {one.because for one in sources} == {Named(kind="artist", id="a03", name="Band 03")}
    assert [one.itself.id for one in sources] == ids(sources)


def test_seeds_share_alike_however_many_tracks_they_stand_for(pools):
    sources = pools.sources([("artist", "a03"), ("track", "a04-1")])
    assert sum(one.share for one in sources if one.because.kind == "artist") == pytest.approx(0.5)
    assert sum(one.share for one in sources) == pytest.approx(1)


@pytest.mark.parametrize(("kind", "text"), [("tag", "Doom Metal"), ("text", "some doom for a rainy day")])
def test_words_are_what_they_are_said_of(pools, kind, text):
    sources = pools.sources([(kind, text)])
    assert {int(one.id[1:3]) % 3 for one in sources} == {0}
    assert {one.because.name for one in sources} == {text}


def test_words_that_nobody_wrote_may_be_a_name(pools):
    assert ids(pools.sources([("text", "band 05")]))[0] == "a05-0"
    with pytest.raises(UnknownIdError, match="Nothing is known about 'zzz'"):
        pools.sources([("text", "zzz")])


def test_a_playlist_is_its_items_evenly(pools):
    because = Named(kind="playlist", id="p", name="Mine")
    items = [ItemRef("track", f"a{artist:02}-{place}") for artist in range(12) for place in range(8)]
    sources = pools.sources_of([*items, ItemRef("track", "gone"), ItemRef("episode", "e")], because)
    assert len(sources) == 19  # of 20 places the last is of an item that is gone
    assert len({one.id[:3] for one in sources}) > 8
    assert {one.because for one in sources} == {because}
    assert ids(pools.sources_of([ItemRef("artist", "a03")])) == [f"a03-{place}" for place in range(8)]


@pytest.mark.parametrize(
    ("kind", "text", "error"),
    [
        ("track", "no such song", UnknownIdError),
        ("user", "ann", InputError),
        ("episode", "x", UnknownIdError),
    ],
)
def test_what_is_no_seed_is_refused(pools, kind, text, error):
    with pytest.raises(error):
        pools.sources([(kind, text)])


def test_a_release_without_radio_has_no_stations(genres):
    with pytest.raises(NotReadyError, match="Radio of the kind 'artist'"):
        ReleasePools(genres, "artist")
