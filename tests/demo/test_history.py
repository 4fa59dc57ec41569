"""The simulated history: who plays what, when, and until when."""

from dataclasses import replace

import numpy as np
import pytest

from crossfade.demo import genres
from crossfade.demo.contexts import NAMES, SOURCES
from crossfade.demo.report import measure, report
from crossfade.demo.settings import DEFAULT, SMALL
from crossfade.demo.tables import Plays
from crossfade.demo.world import simulate

DAY = 86_400.0


@pytest.fixture(scope="module")
def town():
    """A world large enough for shares to settle, small enough for every test run."""
    return simulate(replace(DEFAULT, listeners=700, artists=1_200, playlists=400))


@pytest.fixture(scope="module")
def plays(town):
    parts = [chunk.plays for chunk in town.history()]
    fields = Plays.__dataclass_fields__
    return Plays(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in fields})


@pytest.fixture(scope="module")
def left_at(town):
    return np.concatenate([chunk.left_at for chunk in town.history()])


def test_the_figures_lie_in_their_bands(town):
    outside = [figure for figure in measure(town) if not figure.fits]
    assert not outside


def test_the_report_marks_what_lies_outside_its_band():
    lines = report(simulate(SMALL))
    assert len(lines) == 16
    assert "Lamere" in lines[1]
    assert any(line.endswith("OUTSIDE") for line in lines)  # so small a world does not meet every band


def test_times_ascend_for_each_listener(plays):
    same = np.diff(plays.listener) == 0
    step = np.diff(plays.at)
    assert np.all(step[same & ~plays.again[1:]] > 0)
    assert np.all(step[plays.again[1:]] == 0)


def test_nobody_plays_before_joining_or_after_leaving(town, plays, left_at):
    assert np.all(plays.at >= town.people.joined[plays.listener])
    assert np.all(plays.at < left_at[plays.listener])
    gone = np.isfinite(left_at)
    assert 0.1 < gone.mean() < 0.6
    last = np.full(len(left_at), -np.inf)
    np.maximum.at(last, plays.listener, plays.at)
    assert np.median(last[gone]) < np.median(last[~gone]) - 10 * DAY


def test_those_who_left_had_skipped_more(town, plays, left_at):
    played = np.bincount(plays.listener, minlength=len(left_at))
    skipped = np.bincount(plays.listener, plays.skipped, len(left_at)) / np.maximum(played, 1)
    lively = played >= 30
    gone = np.isfinite(left_at)
    assert skipped[lively & gone].mean() > skipped[lively & ~gone].mean() + 0.03


def test_newcomers_and_releases_arrive(town, plays):
    people, music = town.people, town.catalogue
    assert 0.25 < (people.joined > 0).mean() < 0.45
    assert np.all(music.released[plays.track] <= plays.at)
    late = plays.at > 0.75 * town.settings.days * DAY
    fresh = music.released[plays.track] > 0
    assert fresh[late].mean() > 0.03
    assert fresh[late].mean() > 2 * fresh[~late].mean()


def test_private_sessions_are_whole_and_rare(plays):
    assert 0.003 < plays.private.mean() < 0.04
    users = np.unique(plays.listener[plays.private])
    assert 0.02 < len(users) / 700 < 0.16
    # Private or not is said of a session: it changes only after a pause.
    change = (np.diff(plays.private.astype(int)) != 0) & (np.diff(plays.listener) == 0)
    pause = np.diff(plays.at) - plays.heard[:-1]
    assert np.all(pause[change] > 0)
    assert not plays.thumb[plays.private].any()


def test_some_rows_are_sent_twice(town, plays):
    assert plays.again.mean() == pytest.approx(town.settings.duplicate_share, rel=0.25)
    rows = np.flatnonzero(plays.again)
    for name in ("listener", "track", "at", "heard", "private"):
        column = getattr(plays, name)
        assert np.array_equal(column[rows], column[rows - 1])


def test_users_play_their_own_genres_far_above_chance(town, plays):
    genre = town.catalogue.genre[town.catalogue.artist_of[plays.track]]
    own = (town.people.interests[plays.listener] == genre[:, None]).any(axis=1)
    stranger = np.random.default_rng(0).permutation(len(town.people.ids))[plays.listener]
    chance = (town.people.interests[stranger] == genre[:, None]).any(axis=1)
    assert own.mean() > 4 * chance.mean()


def test_the_planted_families_come_back_from_listening_together(town, plays):
    """Artists with similar listeners are of one family: the structure that models have to find is there."""
    artist = town.catalogue.artist_of[plays.track]
    matrix = np.zeros((len(town.people.ids), len(town.catalogue.genre)))
    np.add.at(matrix, (plays.listener, artist), ~plays.skipped)
    matrix = np.log1p(matrix)
    known = np.flatnonzero((matrix > 0).sum(axis=0) >= 15)
    columns = matrix[:, known] / np.linalg.norm(matrix[:, known], axis=0)
    cosine = columns.T @ columns
    np.fill_diagonal(cosine, -1.0)
    family = genres.FAMILY_OF[town.catalogue.genre[known]]
    nearest = np.argsort(-cosine, axis=1)[:, :5]
    agree = (family[nearest] == family[:, None]).mean()
    chance = (np.bincount(family) / len(family)) @ (np.bincount(family) / len(family))
    assert agree > 3 * chance
    assert agree > 0.5


def test_runners_hear_a_runners_tempo(town, plays):
    tempo = town.catalogue.tempo[plays.track]
    off = np.minimum(np.abs(tempo - 168), np.abs(2 * tempo - 168))
    running = plays.moment == NAMES.index("running")
    assert running.mean() > 0.01
    assert np.median(off[running]) < 0.5 * np.median(off[~running])
    energy = town.catalogue.energy[plays.track]
    party, relaxing = (plays.moment == NAMES.index(name) for name in ("party", "relaxing"))
    assert energy[party].mean() > energy[relaxing].mean() + 0.2


def test_work_is_for_weekdays_and_nobody_commutes_on_sunday(town, plays):
    local = plays.at + town.people.zone[plays.listener]
    weekday = (town.settings.first_day.weekday() + np.floor(local / DAY)) % 7
    session_start = local - plays.at + plays.at
    assert np.array_equal(session_start, local)
    work = plays.moment == NAMES.index("work")
    assert (weekday[work] < 5).mean() > 0.9
    commute = plays.moment == NAMES.index("commute")
    hour = (local // 3_600) % 24
    assert np.isin(hour[commute], [7, 8, 9, 10, 16, 17, 18, 19, 20]).mean() > 0.95
    assert (weekday[commute] < 5).mean() > 0.99


def test_repeats_are_recent(plays):
    """Dynamics of repeat consumption: what comes again was heard lately, more than its frequency explains."""
    rng = np.random.default_rng(1)

    def median_gap(tracks):
        last, gaps = {}, []
        for place, track in enumerate(tracks):
            if track in last:
                gaps.append(place - last[track])
            last[track] = place
        return np.median(gaps) if gaps else np.nan

    counts = np.bincount(plays.listener)
    ratios = []
    for listener in np.argsort(-counts)[:40]:
        tracks = plays.track[plays.listener == listener].tolist()
        ratios.append(median_gap(tracks) / median_gap(rng.permutation(tracks).tolist()))
    assert np.median(ratios) < 0.8


def test_albums_are_heard_in_order_and_playlists_from_their_tracks(town, plays):
    album = (plays.mode == SOURCES.index("album")) & ~plays.again
    rows = np.flatnonzero(album[:-1] & album[1:] & (plays.listener[1:] == plays.listener[:-1]))
    assert (plays.track[rows + 1] == plays.track[rows] + 1).mean() > 0.7
    shelf = town.playlists
    rows = np.flatnonzero((plays.mode == SOURCES.index("playlist")) & (plays.playlist >= 0))[:2_000]
    inside = [
        plays.track[row] in shelf.tracks[shelf.first[plays.playlist[row]] : shelf.first[plays.playlist[row] + 1]]
        for row in rows
    ]
    assert np.mean(inside) > 0.9


def test_time_zones_part_the_listeners_in_utc(town, plays):
    utc = (plays.at // 3_600) % 24
    city = town.people.city[plays.listener]

    def mean_hour(rows):
        angle = 2 * np.pi * utc[rows] / 24
        return np.arctan2(np.sin(angle).mean(), np.cos(angle).mean()) * 24 / (2 * np.pi) % 24

    stockholm, los_angeles = mean_hour(city == 0), mean_hour(city == 7)
    assert (los_angeles - stockholm) % 24 == pytest.approx(9.0, abs=2.5)


def test_satisfaction_follows_fit():
    world = simulate(replace(SMALL, churn=0.0))
    chunks = list(world.history())
    assert not any(np.isfinite(chunk.left_at).any() for chunk in chunks)
    happy = np.concatenate([chunk.satisfaction for chunk in chunks])
    assert np.corrcoef(happy, -world.people.skip_bias)[0, 1] > 0.4


def test_no_two_listeners_share_their_random_numbers(plays):
    # How much of a track is heard before an early skip is a random number itself.
    early = plays.heard[(plays.heard < 5.0) & ~plays.again]
    assert len(np.unique(early)) > 0.999 * len(early)
