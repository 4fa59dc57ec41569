"""The catalogue: names by row."""

import dataclasses

import numpy as np
import pytest

from crossfade.core.catalogue import Artists, Catalogue, Tracks
from crossfade.core.errors import ArtifactError
from crossfade.core.ids import MISSING, Ids
from crossfade.core.texts import Texts


@pytest.fixture
def catalogue():
    return Catalogue(
        artists=Artists(
            ids=Ids.of(["a", "b"]),
            names=["Björk", '林檎 \u2028 " ,'],
            listeners=np.array([2, 1]),
            plays=np.array([20, 2**40]),
        ),
        tracks=Tracks(
            ids=Ids.of(["t"]),
            titles=["Jóga"],
            artist_rows=np.array([0], dtype=np.int32),
            albums=[""],
            track_ms=np.array([305_000], dtype=np.int32),
            listeners=np.array([2]),
            plays=np.array([3]),
        ),
    )


def same(one, other):
    names = [field.name for field in dataclasses.fields(one)]
    return all(list(getattr(one, name)) == list(getattr(other, name)) for name in names)


def test_a_saved_catalogue_is_the_same(catalogue, tmp_path):
    catalogue.save(tmp_path)
    loaded = Catalogue.load(tmp_path)
    assert same(loaded.artists, catalogue.artists)
    assert same(loaded.tracks, catalogue.tracks)


def test_a_library_of_artists_alone(catalogue, tmp_path):
    dataclasses.replace(catalogue, tracks=None).save(tmp_path)
    loaded = Catalogue.load(tmp_path)
    assert loaded.tracks is None
    assert loaded.reason_kind == "artist"


def test_a_library_of_tracks_alone_gives_tracks_as_reasons(catalogue, tmp_path):
    nobody = Artists(ids=Ids.of([]), names=[], listeners=np.zeros(0, np.int64), plays=np.zeros(0, np.int64))
    tracks = dataclasses.replace(catalogue.tracks, artist_rows=np.array([MISSING], dtype=np.int32))
    Catalogue(artists=nobody, tracks=tracks).save(tmp_path)
    assert Catalogue.load(tmp_path).reason_kind == "track"
    assert catalogue.reason_kind == "artist"


def test_columns_of_unequal_length_are_refused(catalogue, tmp_path):
    catalogue.save(tmp_path)
    Texts.of(["", ""]).save(tmp_path / "tracks" / "albums")
    with pytest.raises(ArtifactError, match="unequal length"):
        Catalogue.load(tmp_path)


def test_a_missing_part_is_refused(catalogue, tmp_path):
    catalogue.save(tmp_path)
    (tmp_path / "tracks" / "titles.bytes.npy").unlink()
    with pytest.raises(ArtifactError, match="titles"):
        Catalogue.load(tmp_path)
