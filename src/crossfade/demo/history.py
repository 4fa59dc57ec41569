"""The listening history, simulated for a few listeners at a time.

A day has Poisson(activity · weekday · mood of the week / length of a session) sessions, at local hours from the
daily curve moved by the listener's chronotype. Hour, weekday and habits decide the moment (running, commute, …), the
moment how tracks are found (library, search, album, playlist, radio), and `crossfade.demo.listening` what is played.

Each listener's random numbers come from ``(seed, listener)`` alone, so that a history does not depend on how
many listeners are simulated at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crossfade.core.progress import Progress, silent
from crossfade.demo import listening
from crossfade.demo.catalogue import Catalogue
from crossfade.demo.contexts import HOURS, MOMENTS, SOURCES, WEEKDAYS, hour_weights
from crossfade.demo.listeners import Listeners
from crossfade.demo.playlists import Playlists
from crossfade.demo.settings import DemoSettings
from crossfade.demo.tables import PLATFORMS, IdColumns, Plays

if TYPE_CHECKING:
    import pyarrow as pa

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int32]

SESSION = 12.0
"""Plays of the mean session, skips counted."""

_PARTICULAR = 0.1  # a moment whose floor lies below needs music of its own
_MOST_IN_SESSION = 150
_MODE_BIAS = np.array([-0.45, 0.1, -0.5, 0.25, 0.35])  # people are patient with albums, impatient with the radio
_PLAY_SECONDS = 30.0  # less, and less than half of the track, is not a play
_DAY = 86_400.0
_COLUMNS = tuple(field.name for field in fields(Plays))


@dataclass(frozen=True, eq=False, kw_only=True)
class Chunk:
    """What some listeners did.

    first         the row of the first of them
    listens       `schemas.LISTENS`, by listener and time; some rows stand twice
    plays         the same as row numbers
    feedback      `schemas.FEEDBACK`: thumbs given to the radio
    left_at       (listeners,) seconds from the history's first at which each left for good, inf for never
    satisfaction  (listeners,) 0 to 1, at the end
    """

    first: int
    listens: "pa.Table"
    plays: Plays
    feedback: "pa.Table"
    left_at: Floats
    satisfaction: Floats


@dataclass(frozen=True, eq=False)
class _Sessions:
    starts: Floats
    lengths: Rows
    moments: Rows
    modes: Rows
    playlists: Rows
    private: npt.NDArray[np.bool_]
    platforms: Rows


class Historian:
    """Simulates the listeners of one world."""

    def __init__(
        self, settings: DemoSettings, catalogue: Catalogue, people: Listeners, playlists: Playlists, ids: IdColumns
    ) -> None:
        self._settings, self._catalogue, self._people, self._playlists = settings, catalogue, people, playlists
        self._ids = ids
        self._moment_table = hour_weights()
        self._hours = tuple(np.concatenate([[0.0], np.cumsum(curve / curve.sum())]) for curve in HOURS)
        self._sources = np.cumsum([moment.sources for moment in MOMENTS], axis=1)
        self._skips = np.array([moment.skips for moment in MOMENTS])
        self._platforms = [
            (
                np.cumsum([share for _, share in moment.platforms]),
                [PLATFORMS.index(name) for name, _ in moment.platforms],
            )
            for moment in MOMENTS
        ]
        # How well an artist suits a moment: the mean over its tracks, as they are played.
        count = len(catalogue.artist_names)
        total = np.bincount(catalogue.artist_of, catalogue.weights, count)
        self._artist_match = np.stack(
            [np.bincount(catalogue.artist_of, catalogue.weights * row, count) / total for row in catalogue.match]
        )

    def chunks(self, progress: Progress = silent) -> Iterator[Chunk]:
        """All listeners, a chunk at a time."""
        count, step = len(self._people.ids), self._settings.chunk
        for first in range(0, count, step):
            lives = []
            for row in range(first, min(first + step, count)):
                lives.append(self._live(row))
                progress(row + 1, count, "listeners")
            plays = Plays(**{name: np.concatenate([getattr(life.plays, name) for life in lives]) for name in _COLUMNS})
            yield Chunk(
                first=first,
                listens=self._ids.listens(plays),
                plays=plays,
                feedback=self._ids.feedback(plays),
                left_at=np.array([life.left_at for life in lives]),
                satisfaction=np.array([life.satisfaction for life in lives]),
            )

    def _live(self, row: int) -> "_Life":
        settings, catalogue, people = self._settings, self._catalogue, self._people
        rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(10, row)))
        sessions = self._sessions(rng, row)
        weights, fit = listening.artist_weights(
            people.centres[row],
            people.shares[row],
            people.breadth[row],
            people.mainstream[row],
            catalogue.vectors,
            catalogue.log_popularity,
        )
        # One row more than there can be plays: the pause before a session draws from the row of its first play.
        uniforms = rng.random((int(sessions.lengths.sum()) + 1, listening.UNIFORMS))
        track, begun, heard, session, left_at, satisfaction = listening.listen(
            sessions.starts,
            sessions.lengths,
            sessions.moments,
            sessions.modes,
            sessions.playlists,
            uniforms,
            rng.random((people.known[row], 2)),
            np.cumsum(weights * self._artist_match, axis=1),
            fit,
            people.novelty[row],
            people.skip_bias[row],
            settings.churn,
            catalogue.first_track,
            catalogue.artist_of,
            catalogue.album_end,
            catalogue.released,
            catalogue.seconds,
            catalogue.weights,
            catalogue.match,
            _MODE_BIAS,
            self._skips,
            catalogue.similar,
            self._playlists.first,
            self._playlists.tracks,
        )
        length = catalogue.seconds[track]
        played = (heard >= _PLAY_SECONDS) | (heard >= 0.5 * length)
        mode = sessions.modes[session]
        chance = rng.random(len(track))
        liked = fit[catalogue.artist_of[track]]
        thumb = np.where((heard >= 0.97 * length) & (chance < 0.10 * liked), 1, 0)
        thumb = np.where(~played & (chance < 0.10 * (1.0 - liked)), -1, thumb)
        twice = np.where(rng.random(len(track)) < settings.duplicate_share, 2, 1)
        columns = Plays(
            listener=np.full(len(track), row, dtype=np.int32),
            track=track,
            at=begun,
            heard=heard,
            skipped=~played,
            moment=sessions.moments[session],
            mode=mode,
            playlist=sessions.playlists[session],
            platform=sessions.platforms[session],
            private=sessions.private[session],
            thumb=np.where((mode == listening.RADIO) & ~sessions.private[session], thumb, 0).astype(np.int8),
            again=np.zeros(len(track), dtype=bool),
        )
        repeated = {name: np.repeat(getattr(columns, name), twice) for name in _COLUMNS}
        repeated["again"][1:] = np.diff(np.repeat(np.arange(len(track)), twice)) == 0
        return _Life(Plays(**repeated), left_at, satisfaction)

    def _sessions(self, rng: np.random.Generator, row: int) -> _Sessions:
        people = self._people
        days = np.arange(int(people.joined[row] // _DAY), self._settings.days)
        weekday = (self._settings.first_day.weekday() + days) % 7
        # Heavy weeks and light weeks.
        mood = rng.gamma(3.0, 1 / 3.0, self._settings.days // 7 + 1)
        rate = people.activity[row] / SESSION * WEEKDAYS[weekday] * mood[days // 7]
        day = np.repeat(days, rng.poisson(rate))
        count = len(day)
        weekend = ((self._settings.first_day.weekday() + day) % 7 >= 5).astype(np.int64)
        chance = rng.random((count, 7))
        edges = np.arange(25.0)
        hour = np.where(
            weekend == 1, np.interp(chance[:, 0], self._hours[1], edges), np.interp(chance[:, 0], self._hours[0], edges)
        )
        hour = (hour + people.shift[row]) % 24.0
        table = np.cumsum(self._moment_table[weekend, (2 * hour).astype(np.int64) % 48] * people.habits[row], axis=1)
        moments = (table <= (chance[:, 1] * table[:, -1])[:, None]).sum(axis=1).clip(max=len(MOMENTS) - 1)
        modes = (self._sources[moments] <= chance[:, 2:3]).sum(axis=1).clip(max=len(SOURCES) - 1)
        relative = np.array([moment.length for moment in MOMENTS])[moments]
        # Sessions are geometric in length; the mean over the moments is about SESSION.
        lengths = np.ceil(-np.log1p(-chance[:, 3]) * SESSION * relative).clip(1, _MOST_IN_SESSION)
        starts = day * _DAY + hour * 3_600.0 - people.zone[row]
        keep = np.flatnonzero((starts >= people.joined[row]) & (starts < self._settings.days * _DAY))
        keep = keep[np.argsort(starts[keep], kind="stable")]
        platforms = np.zeros(count, dtype=np.int32)
        for moment, (shares, choices) in enumerate(self._platforms):
            here = moments == moment
            picked = np.searchsorted(shares, chance[here, 4], side="right").clip(max=len(choices) - 1)
            platforms[here] = np.array(choices)[picked]
        playlists = self._chosen_playlists(row, moments, chance[:, 5])
        modes[(modes == listening.PLAYLIST) & (playlists < 0)] = listening.LIBRARY
        playlists[modes != listening.PLAYLIST] = -1
        return _Sessions(
            starts=starts[keep],
            lengths=lengths[keep].astype(np.int32),
            moments=moments[keep].astype(np.int32),
            modes=modes[keep].astype(np.int32),
            playlists=playlists[keep],
            private=chance[keep, 6] < people.private[row],
            platforms=platforms[keep],
        )

    def _chosen_playlists(self, row: int, moments: npt.NDArray[np.int64], chance: Floats) -> Rows:
        """For each session one of the playlists that the listener follows, made for the moment if there is any.

        Moments that are particular about their music have no other; -1 there, and for who follows none.
        """
        followed = self._playlists.followed[row]
        followed = followed[followed >= 0]
        chosen = np.full(len(moments), -1, dtype=np.int32)
        if len(followed):
            made_for = self._playlists.moment[followed]
            for moment in np.unique(moments):
                here = moments == moment
                fitting = followed[made_for == moment]
                if not len(fitting) and MOMENTS[moment].floor > _PARTICULAR:
                    fitting = followed
                if len(fitting):
                    chosen[here] = fitting[(chance[here] * len(fitting)).astype(np.int64)]
        return chosen


@dataclass(frozen=True, eq=False)
class _Life:
    plays: Plays
    left_at: float
    satisfaction: float
