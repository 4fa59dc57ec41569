"""The music of a demo world: artists, their albums, and the tracks on them.

An artist lies at its genre's centre plus an offset of its own, or, one in four, between its genre and a
neighbour. Its inherent popularity is rank^-s, with ranks dealt at random; its first year comes from its
genre's era. Albums follow every few years, and some come out while the history runs. A popular artist also has
a compilation, whose tracks are the same recordings again under other ids and with the same ISRC.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.demo import genres, names
from crossfade.demo.contexts import track_match
from crossfade.demo.settings import DemoSettings

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int32]

SIMILAR = 24
"""Neighbours kept of every artist, for the radio."""

_YEAR = 365.25 * 86_400.0


@dataclass(frozen=True, eq=False, kw_only=True)
class Catalogue:
    """n artists and m tracks; an artist's tracks are one run, an album's tracks are one run inside it, oldest first.

    genre, second   (n,) rows of `genres.GENRES`; ``second`` is the genre an artist leans to, -1 for none
    vectors         (n, DIMENSIONS) places in taste space
    log_popularity  (n,) the highest is 0
    first_year      (n,)
    place           (n,) where each artist comes from
    first_track     (n + 1,) int32
    artist_of       (m,) int32
    album_of        (m,) int32 rows of ``albums``; ``album_end`` the track row past the track's album
    released        (m,) seconds from the history's first, negative before
    seconds, tempo, energy, brightness, weights   (m,); ``weights`` is the popularity within the artist
    recording       (m,) int32: the track row whose recording it is; itself but for compilations
    match           (contexts, m) how well each track suits a moment, 0 to 1
    """

    artist_names: list[str]
    genre: Rows
    second: Rows
    vectors: Floats
    log_popularity: Floats
    first_year: Rows
    place: list[str]
    similar: Rows
    first_track: Rows
    artist_of: Rows
    album_of: Rows
    album_end: Rows
    albums: list[str]
    album_years: Rows
    titles: list[str]
    released: Floats
    seconds: Floats
    tempo: Floats
    energy: Floats
    brightness: Floats
    weights: Floats
    recording: Rows
    match: Floats


def build(settings: DemoSettings) -> Catalogue:
    """The catalogue of the world that ``settings`` describe."""
    rng = np.random.default_rng(np.random.SeedSequence(settings.seed, spawn_key=(1,)))
    start_year = settings.first_day.year
    count = settings.artists
    share = genres.trait("share")
    # Every genre gets an artist first, so that small worlds have them all.
    genre = np.concatenate([np.arange(len(share)), rng.choice(len(share), count, p=share / share.sum())])[:count]
    genre = genre[rng.permutation(count)].astype(np.int32)
    second = np.full(count, -1, dtype=np.int32)
    for row in np.flatnonzero(rng.random(count) < 0.25):
        neighbours = genres.GENRES[genre[row]].neighbours
        second[row] = genres.INDEX[neighbours[int(rng.integers(len(neighbours)))]]
    centres = genres.centres()
    lean = np.where(second >= 0, rng.uniform(0.2, 0.5, count), 0.0)[:, None]
    vectors = (1 - lean) * centres[genre] + lean * centres[np.maximum(second, 0)]
    vectors = vectors + rng.normal(0.0, 0.11, vectors.shape)
    rank = rng.permutation(count) + 1.0
    log_popularity = -settings.popularity_exponent * np.log(rank)
    first_year = np.round(genres.trait("year")[genre] + rng.gamma(2.0, 5.0, count) - 6.0)
    first_year = np.clip(first_year, 1925, start_year - 1).astype(np.int32)
    albums = _albums(settings, rng, genre, log_popularity, first_year)
    tracks = _tracks(rng, genre, albums)
    oldest = np.full(count, start_year + settings.days // 365 + 1, dtype=np.int32)
    np.minimum.at(oldest, albums.artist, albums.year)
    first_year = np.minimum(oldest, np.maximum(first_year, oldest - 3))  # a first record comes within three years
    artist_names, place = names.artists(rng, genre)
    titles, album_titles = names.titles(rng, genre, albums.artist, albums.compilation, tracks["album_of"])
    for row in np.flatnonzero(tracks["recording"] != np.arange(len(titles))):
        titles[row] = titles[tracks["recording"][row]]
    return Catalogue(
        artist_names=artist_names,
        genre=genre,
        second=second,
        vectors=vectors,
        log_popularity=log_popularity,
        first_year=first_year,
        place=place,
        similar=_similar(vectors),
        albums=album_titles,
        album_years=albums.year,
        titles=titles,
        match=track_match(tracks["tempo"], tracks["energy"], tracks["brightness"]),
        **tracks,
    )


@dataclass(frozen=True, eq=False)
class _Albums:
    """(albums,) each, by artist and then by time of release."""

    artist: Rows
    year: Rows
    released: Floats
    compilation: npt.NDArray[np.bool_]
    length: Rows


def _albums(
    settings: DemoSettings, rng: np.random.Generator, genre: Rows, log_popularity: Floats, first_year: Rows
) -> _Albums:
    start_year, count = settings.first_day.year, len(genre)
    mean = settings.tracks_per_artist / 7.5  # an album or single holds some 7.5 tracks
    # Who is heard has usually made more: the count grows with popularity, around the mean.
    popularity = (log_popularity - log_popularity.mean()) / (log_popularity.std() + 1e-9)
    number = 1 + rng.poisson(np.maximum(mean - 1.0, 0.12) * np.exp(0.35 * popularity - 0.06))
    artist = np.repeat(np.arange(count, dtype=np.int32), number)
    order = np.arange(len(artist)) - np.repeat(np.cumsum(number) - number, number)
    year = first_year[artist] + np.round(order * rng.uniform(1.0, 4.0, len(artist))).astype(np.int32)
    year = np.minimum(year, start_year - 1)
    released = (year - start_year) * _YEAR + rng.uniform(0, 300 * 86_400.0, len(artist))
    # The latest album of some artists comes out while the history runs.
    latest = order == np.repeat(number - 1, number)
    current = latest & (rng.random(len(artist)) < settings.releases * len(artist) / max(count, 1))
    released = np.where(current, rng.uniform(0.0, settings.days * 86_400.0, len(artist)), released)
    year = np.where(current, start_year + (released // _YEAR).astype(np.int32), year).astype(np.int32)
    length = np.where(rng.random(len(artist)) < 0.25, rng.integers(1, 4, len(artist)), rng.integers(7, 13, len(artist)))
    gathers = (number >= 3) & (rng.random(count) < 0.5) & (np.bincount(artist, current, count) == 0)
    compiled = np.flatnonzero(gathers).astype(np.int32)
    newest = np.full(count, -np.inf)
    np.maximum.at(newest, artist, released)
    # After all that it gathers, and before the history begins.
    after = np.minimum(newest[compiled] + 200 * 86_400.0, -86_400.0)
    artist, released = np.concatenate([artist, compiled]), np.concatenate([released, after])
    order = np.lexsort((released, artist))
    return _Albums(
        artist[order],
        np.concatenate([year, (start_year + after // _YEAR).astype(np.int32)])[order],
        released[order],
        np.concatenate([np.zeros(len(year), dtype=bool), np.ones(len(compiled), dtype=bool)])[order],
        np.concatenate([length, np.full(len(compiled), 8)]).astype(np.int32)[order],
    )


def _tracks(rng: np.random.Generator, genre: Rows, albums: _Albums) -> dict[str, npt.NDArray[Any]]:
    """The per-track columns of `Catalogue`, without titles."""
    first_of_album = np.concatenate([[0], np.cumsum(albums.length)])
    album_of = np.repeat(np.arange(len(albums.length), dtype=np.int32), albums.length)
    artist_of, count = albums.artist[album_of], len(album_of)
    of = genre[artist_of]
    position = np.arange(count) - first_of_album[album_of]
    # An artist has a character of its own, around its genre's, and tracks vary around that.
    own = rng.standard_normal((len(genre), 3))[artist_of]
    vary = rng.standard_normal((count, 3))
    tempo = genres.trait("tempo")[of] * np.exp(0.05 * own[:, 0] + 0.09 * vary[:, 0])
    energy = np.clip(genres.trait("energy")[of] + 0.06 * own[:, 1] + 0.09 * vary[:, 1], 0.0, 1.0)
    brightness = np.clip(genres.trait("brightness")[of] + 0.08 * own[:, 2] + 0.11 * vary[:, 2], 0.0, 1.0)
    seconds = np.clip(60.0 * genres.trait("minutes")[of] * np.exp(rng.normal(0.0, 0.24, count)), 55.0, 1_500.0)
    # Hits are few, and early on their albums.
    weights = np.exp(rng.normal(0.0, 0.9, count)) / (1.0 + 0.08 * position)
    recording = np.arange(count, dtype=np.int32)
    first_track = np.searchsorted(artist_of, np.arange(len(genre) + 1)).astype(np.int32)
    for album in np.flatnonzero(albums.compilation):
        begin, end = int(first_of_album[album]), int(first_of_album[album + 1])
        earlier = np.arange(first_track[albums.artist[album]], begin)
        best = np.sort(earlier[np.argsort(-weights[earlier], kind="stable")[: end - begin]])
        recording[begin : begin + len(best)] = best
    for column in (tempo, energy, brightness, seconds):
        column[:] = column[recording]
    weights = np.where(recording == np.arange(count), weights, 0.25 * weights[recording])
    return {
        "first_track": first_track,
        "artist_of": artist_of,
        "album_of": album_of,
        "album_end": first_of_album[1:][album_of].astype(np.int32),
        "released": albums.released[album_of],
        "seconds": np.round(seconds, 3),
        "tempo": tempo,
        "energy": energy,
        "brightness": brightness,
        "weights": weights,
        "recording": recording,
    }


def _similar(vectors: Floats) -> Rows:
    """The `SIMILAR` nearest artists of each, nearest first, (artists, SIMILAR) int32."""
    from scipy.spatial import cKDTree

    width = min(SIMILAR, len(vectors) - 1)
    _, nearest = cKDTree(vectors).query(vectors, k=width + 1)
    return np.ascontiguousarray(nearest[:, 1:].astype(np.int32))
