"""word2vec on sequences: planted company, determinism, and what is too rare."""

import subprocess
import sys

import numpy as np
import pytest

from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.sequences import Sequences
from crossfade.models.word2vec import Word2Vec

GROUPS, MEMBERS = 4, 15


def sequences(lists, items):
    return Sequences(
        kind="track",
        item_ids=Ids.of(f"{row:03d}" for row in range(items)),
        indptr=np.cumsum([0, *map(len, lists)]).astype(np.int64),
        indices=np.array([row for one in lists for row in one], dtype=np.int32),
    )


@pytest.fixture(scope="module")
def planted():
    """Playlists each within one of four groups of fifteen; two items more, of which one occurs once and one never."""
    rng = np.random.default_rng(3)
    lists = [(rng.permutation(MEMBERS)[:8] + MEMBERS * (number % GROUPS)).tolist() for number in range(400)]
    lists[0].append(GROUPS * MEMBERS)
    return sequences(lists, GROUPS * MEMBERS + 2)


@pytest.fixture(scope="module")
def fitted(planted):
    return Word2Vec(factors=16, subsampling=0, epochs=30).fit(planted)


def test_what_keeps_the_same_company_is_similar(fitted):
    found = fitted.similar([f"{row:03d}" for row in range(GROUPS * MEMBERS)], MEMBERS - 1)
    own = np.arange(GROUPS * MEMBERS)[:, None] // MEMBERS
    assert np.mean(found.rows // MEMBERS == own) > 0.98


def test_what_is_too_rare_has_no_place(fitted):
    assert not fitted.space.item_vectors[GROUPS * MEMBERS :].any()
    assert fitted.space.item_vectors[: GROUPS * MEMBERS].any(axis=1).all()
    assert fitted.support[: GROUPS * MEMBERS].sum() == 400 * 8
    assert fitted.support[GROUPS * MEMBERS :].tolist() == [0, 0]


@pytest.mark.parametrize("items", [GROUPS * MEMBERS, 3 * 256 + 5])
def test_equal_sequences_give_equal_bytes_on_any_number_of_threads(items, rng):
    lists = sequences([rng.permutation(items)[:12].tolist() for _ in range(items)], items)
    one, other = (Word2Vec(factors=8, epochs=2).fit(lists, threads=threads) for threads in (1, 3))
    assert one.space.item_vectors.any(axis=1).sum() > 0.9 * items
    assert one.space.space_id == other.space.space_id
    assert one.space.space_id != Word2Vec(factors=8, epochs=2, seed=1).fit(lists).space.space_id


def test_another_process_gives_the_same_bytes(planted, tmp_path):
    planted.save(tmp_path)
    code = (
        "import sys; from pathlib import Path; from crossfade.core.sequences import Sequences;"
        "from crossfade.models.word2vec import Word2Vec;"
        "print(Word2Vec(factors=8, epochs=2).fit(Sequences.load(Path(sys.argv[1]), kind='track')).space.space_id)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == Word2Vec(factors=8, epochs=2).fit(planted).space.space_id


def test_users_stand_amid_what_they_played(fitted, planted):
    rows = {"ann": range(3), "bob": range(MEMBERS, MEMBERS + 3)}
    pairs = [(user, f"{row:03d}") for user, played in rows.items() for row in played]
    played = Interactions.from_rows(
        Ids.of(rows),
        planted.item_ids,
        Ids.of(rows).rows([user for user, _ in pairs]),
        planted.item_ids.rows([item for _, item in pairs]),
        np.ones(len(pairs)),
        kind="track",
    )
    found = fitted.recommend(played, 8, exclude=played)
    assert np.mean(found.rows[0] // MEMBERS == 0) == 1
    assert np.mean(found.rows[1] // MEMBERS == 1) == 1


def test_progress_is_told_by_epoch(planted):
    told = []
    Word2Vec(factors=8, epochs=3).fit(planted, progress=lambda done, total, unit: told.append((done, total, unit)))
    assert told == [(1, 3, "epochs"), (2, 3, "epochs"), (3, 3, "epochs")]


def test_without_sequences_all_vectors_are_zero():
    fitted = Word2Vec().fit(sequences([], 5))
    assert fitted.space.item_vectors.shape == (5, 64)
    assert not fitted.space.item_vectors.any()
    assert not fitted.support.any()


def test_a_neighbour_is_found_as_often_as_by_gensim(rng):
    gensim = pytest.importorskip("gensim.models", reason="needs gensim")
    groups, members = 40, 20
    lists = [(rng.permutation(members)[:6] + members * (number % groups)).tolist() for number in range(4000)]
    noise = rng.integers(0, groups * members, (4000, 2)).tolist()
    lists = [one + other for one, other in zip(lists, noise, strict=True)]
    ours = Word2Vec(factors=16, subsampling=0, epochs=10).fit(sequences(lists, groups * members)).space.item_vectors
    trained = gensim.Word2Vec(
        lists, vector_size=16, sg=1, negative=5, ns_exponent=0.5, sample=0, min_count=3, epochs=10, seed=1, workers=1
    )
    theirs = np.array([trained.wv[row] for row in range(groups * members)])

    def found(vectors):
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        near = np.argsort(-(units @ units.T), axis=1)[:, 1:members]
        return np.mean(near // members == np.arange(groups * members)[:, None] // members)

    assert found(ours) > found(theirs) - 0.02
