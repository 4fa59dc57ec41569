"""Stations as state and signals: what thumbs do, what is never drawn, and what survives."""

from functools import cache

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, InputError
from crossfade.live import stations
from crossfade.live.station_why import why
from crossfade.live.stations import MOST_MARKS, REPEAT_SECONDS, Listener, Signal, Source, Station, signalled
from crossfade.stores.contract import Entry, Named

GENRES, ARTISTS, TRACKS = 3, 12, 8
NOW = 1_700_000_000.0
DAY = REPEAT_SECONDS


def track(name: str) -> Entry:
    artist = name.split("-")[0]
    return Entry(id=name, name=f"Song {name}", parent=Named(kind="artist", id=artist, name=f"Artist {artist}"))


def genre(item_id: str) -> int:
    return int(item_id.split("-")[0][1:]) % GENRES


NAMES = [f"a{artist}-{place}" for artist in range(ARTISTS) for place in range(TRACKS)]


@cache
def pools(item_id: str) -> list[Entry]:
    """The other tracks: those of the item's own genre first, in an order of each item's own."""
    if item_id not in NAMES:
        return []
    rng = np.random.default_rng(NAMES.index(item_id))
    order = sorted(rng.permutation(NAMES).tolist(), key=lambda name: genre(name) != genre(item_id))
    return [track(name) for name in order if name != item_id]


def station(*items: str, **options) -> Station:
    sources = tuple(Source(id=item, because=Named(kind="track", id=item, name=f"Song {item}")) for item in items)
    return Station(kind="track", title="A station", seeds=sources or station("a0-0").seeds, **options)


def played(state, count=20, at=NOW, listener=stations.ANYBODY, pools=pools):
    return stations.next(state, Signal(at=at, count=count), pools, listener)


def share(tracks, of):
    return np.mean([genre(one.entry.id) == of for one in tracks])


def turned(state, action, items, of, seeds=30):
    """The share of genre ``of`` among the next tracks of many stations, before and after the marks."""
    after = state
    for item in items:
        after = signalled(after, Signal(at=NOW, action=action, item=item))
    drawn = []
    for one in (state, after):
        tracks = [stations.replace(one, seed=seed) for seed in range(seeds)]
        drawn.append(np.mean([share(played(each, 10).tracks, of) for each in tracks]))
    return drawn


def test_equal_states_and_signals_play_the_same():
    state = station(seed=3)
    assert played(state) == played(state)
    assert played(state).tracks != played(station(seed=4)).tracks


def test_in_two_parts_it_plays_what_it_plays_in_one():
    whole = played(station(), 20)
    first = played(station(), 7)
    rest = played(first.state, 13)
    assert first.tracks + rest.tracks == whole.tracks
    assert rest.state == whole.state


def test_the_state_goes_on_after_a_restart():
    state = signalled(played(station()).state, Signal(at=NOW, action="up", item="a1-1"))
    assert Station.from_json(state.to_json()) == state
    assert played(Station.from_json(state.to_json())) == played(state)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b'{"kind": 3}',
        station().to_json().replace(b"0.5", b"7"),
        station().to_json().replace(b'"share":1.0', b'"share":-1.0'),
    ],
)
def test_what_is_no_state_is_refused(text):
    with pytest.raises(ArtifactError, match="not the state of a station"):
        Station.from_json(text)


def test_nothing_is_played_twice_within_a_day_and_parents_stay_apart():
    state, tracks = station(), []
    for _ in range(8):
        state, more = played(state, 10)
        tracks += more
    ids = [one.entry.id for one in tracks]
    assert len(ids) == len(set(ids)) == 80
    parents = [one.entry.parent.id for one in tracks]
    for place in range(len(parents)):
        assert parents[place] not in parents[place + 1 : place + 4]


def test_after_a_day_it_may_play_the_same_again():
    state = played(station(), 90).state
    assert not set(drawn_of(played(state, 5, NOW + DAY - 1))) & {one.id for one in state.drawn}
    assert len(played(state, 20, NOW + DAY).tracks) == 20


def drawn_of(result):
    return [one.entry.id for one in result.tracks]


def test_another_version_of_a_song_is_not_played_within_a_day():
    same = Named(kind="artist", id="x", name="X")
    versions = [Entry(id="x-1", name="Song", parent=same), Entry(id="x-2", name="SONG!", parent=same)]
    result = played(station("s"), 2, pools=lambda item: versions if item == "s" else [])
    assert len(result.tracks) == 1


def test_a_thumb_up_brings_more_of_what_is_near_it():
    before, after = turned(station(), "up", ["a1-1"], of=1)
    assert after > before + 0.2


def test_each_thumb_up_brings_more():
    shares = [turned(station(), "up", ["a1-1", "a4-2", "a7-3"][:count], of=1)[1] for count in (0, 1, 2, 3)]
    assert shares[0] < shares[1] <= shares[2] + 0.05
    assert shares[3] > shares[0] + 0.25


def test_a_thumb_down_removes_the_track_and_lowers_what_is_near_it():
    state = station(adventure=0.8)
    before, after = turned(state, "down", ["a3-1", "a6-1", "a9-1"], of=0)
    assert after < before - 0.1
    down = signalled(state, Signal(at=NOW, action="down", item="a3-1"))
    everything = [drawn_of(played(stations.replace(down, seed=seed), 90)) for seed in range(5)]
    assert not any("a3-1" in one for one in everything)


def test_a_skip_counts_less_than_a_thumb_down_and_only_if_it_was_early():
    items = ["a3-1", "a6-1", "a9-1", "a0-1", "a0-2"]
    before, skipped = turned(station(adventure=0.8), "skip", items, of=0, seeds=60)
    _, disliked = turned(station(adventure=0.8), "down", items, of=0, seeds=60)
    assert disliked < skipped < before
    late = signalled(station(), Signal(at=NOW, action="skip", item="a3-1", heard=31))
    assert late == station()


def test_a_skip_does_not_take_a_thumb_back_and_undo_does():
    liked = signalled(station(), Signal(at=NOW, action="up", item="a1-1"))
    assert signalled(liked, Signal(at=NOW, action="skip", item="a1-1")).marks == {"a1-1": "up"}
    assert signalled(liked, Signal(at=NOW, action="undo", item="a1-1")) == station()


def test_the_oldest_thumbs_are_forgotten_first():
    state = station()
    for number in range(MOST_MARKS + 5):
        state = signalled(state, Signal(at=NOW, action="up", item=f"x{number}"))
    assert list(state.marks) == [f"x{number}" for number in range(5, MOST_MARKS + 5)]


def test_a_disliked_seed_gives_its_place_to_the_others():
    state = signalled(station("a0-0", "a1-0"), Signal(at=NOW, action="down", item="a1-0"))
    assert {part.source.id for one in played(state, 10).tracks for part in one.parts} == {"a0-0"}


def test_what_is_requeued_may_be_drawn_again():
    state, tracks = played(station(), 10)
    third = tracks[2].entry.id
    after = signalled(state, Signal(at=NOW, action="up", item=third, requeue=True))
    assert [one.id for one in after.drawn] == [one.entry.id for one in tracks[:3]]
    assert third not in drawn_of(played(after, 90))


def test_adventure_strays_further_and_leaves_what_is_known():
    def strayed(adventure, listener=stations.ANYBODY):
        states = [station(adventure=adventure, seed=seed) for seed in range(30)]
        return [played(state, 10, listener=listener).tracks for state in states]

    assert np.mean([share(one, 0) for one in strayed(0.0)]) > np.mean([share(one, 0) for one in strayed(1.0)]) + 0.3
    known = Listener(known={f"a{artist}" for artist in range(0, 12, 2)})

    def familiar(lists):
        return np.mean([one.entry.parent.id in known.known for tracks in lists for one in tracks])

    assert familiar(strayed(0.0, known)) > 0.6 > 0.4 > familiar(strayed(1.0, known))


def test_what_is_blocked_is_never_played():
    listener = Listener(barred={"a3", "a6-1"})
    ids = drawn_of(played(station(), 90, listener=listener))
    assert len(ids) > 80
    assert not [one for one in ids if one.startswith("a3-") or one == "a6-1"]


def test_a_station_takes_further_pools_when_little_is_left():
    """A chain in which every item knows only its next five: far items are reached by what was played."""
    chain = [Entry(id=f"c{place}", name=f"c{place}") for place in range(200)]

    def next_five(item_id):
        place = int(item_id[1:])
        return chain[place + 1 : place + 6]

    result = played(station("c0"), 40, pools=next_five)
    assert len(result.tracks) == 40
    assert result.tracks[-1].text.startswith("Because this station played ")


def test_a_station_of_one_artist_ends():
    """No two tracks of one artist within four places: there is nothing else to put between them."""
    assert len(played(station("x-1"), 9, pools=lambda item: [track(f"x-{n}") for n in range(2, 9)]).tracks) == 1


@pytest.mark.parametrize(
    ("mark", "text"),
    [(None, "Because you started from Song a0-0."), ("up", "Because you liked Song a1-1.")],
)
def test_every_track_has_a_reason(mark, text):
    state = station()
    if mark:
        state = played(state, 90).state
        state = stations.replace(signalled(state, Signal(at=NOW, action=mark, item="a1-1")), drawn=(), grown=())
    reasons = {one.text + "." for one in played(state, 30).tracks}
    assert text in reasons


def test_why_names_the_sources_and_what_thumbs_did():
    state = played(station(), 90).state
    for action, item in (("up", "a1-1"), ("down", "a2-2")):
        state = signalled(state, Signal(at=NOW, action=action, item=item))
    answer = why(stations.replace(state, drawn=(), grown=()), "a1-2", NOW, pools)
    assert {part.source.name for part in answer.parts} == {"Song a0-0", "Song a1-1"}
    assert sum(part.share for part in answer.parts) == pytest.approx(1)
    assert answer.nudges["Song a1-1"] > 2
    assert 0.1 < answer.nudges["Song a2-2"] < 1
    assert 0 < answer.chance < 1


def test_the_chance_is_that_of_the_next_draw():
    state = station()
    best = pools("a0-0")[0].id
    chance = why(state, best, NOW, pools).chance
    first = [drawn_of(played(stations.replace(state, seed=seed), 1))[0] == best for seed in range(400)]
    assert np.mean(first) == pytest.approx(chance, abs=0.07)


def test_why_not():
    state, tracks = played(station(), 3)
    down = signalled(state, Signal(at=NOW, action="down", item="a5-5"))
    assert why(down, "a5-5", NOW, pools).text == "You gave it a thumb down."
    assert "within a day" in why(state, tracks[0].entry.id, NOW, pools).text
    assert why(state, "a4-4", NOW, pools, Listener(barred={"a4"})).text == "You have blocked its artist."
    assert why(state, "nothing", NOW, pools).text == "It is close to nothing that this station plays."
    neighbour = next(
        name
        for name in NAMES
        if name.startswith(tracks[-1].entry.parent.id + "-")
        and name not in drawn_of(played(station(), 3))
        and name != "a0-0"
    )
    assert "its artist was just played" in why(state, neighbour, NOW, pools).text


@pytest.mark.parametrize("wrong", [{"action": "up"}, {"requeue": True}])
def test_a_signal_about_nothing_is_refused(wrong):
    with pytest.raises(InputError, match="needs an item"):
        Signal(at=NOW, **wrong)


@pytest.mark.parametrize("adventure", [-0.1, 1.1, float("nan")])
def test_adventure_is_a_number_from_0_to_1(adventure):
    with pytest.raises(InputError, match="adventure"):
        station(adventure=adventure)


def test_a_station_needs_a_seed():
    with pytest.raises(InputError, match="start from"):
        Station(kind="track", title="", seeds=())
