"""Cultural similarity: terms, their weights worked out by hand, planted genres, and the words kept with the space."""

import numpy as np
import pytest

from crossfade.core.errors import ArtifactError, UnknownIdError
from crossfade.core.ids import Ids
from crossfade.core.texts import Texts
from crossfade.core.writings import SOURCES, Writings
from crossfade.models.cultural import Cultural, FittedCultural
from crossfade.models.terms import mentions


def writings(about, names=None):
    """Writings from {artist: [(source, text, count)]}."""
    ids = Ids.of(about)
    rows = [(ids.find(artist), *one) for artist in ids for one in about[artist]]
    return Writings(
        kind="artist",
        item_ids=ids,
        names=Texts.of([(names or {}).get(id_, id_) for id_ in ids]),
        sources=np.array([SOURCES.index(source) for _, source, _, _ in rows], dtype=np.uint8),
        items=np.array([row for row, *_ in rows], dtype=np.int32),
        counts=np.array([count for *_, count in rows], dtype=np.int64),
        texts=Texts.of([text for _, _, text, _ in rows]),
    )


def said(found, ids):
    """{artist: {term: strength}}"""
    profile = {id_: {} for id_ in ids}
    for item, term, strength in zip(found.items, found.terms, found.strengths, strict=True):
        profile[ids[int(item)]][found.vocabulary[int(term)]] = strength
    return profile


def all_of(about, names=None, shares=(1, 1, 1), least=1, most=1.0):
    made = writings(about, names)
    return said(mentions(made, np.array(shares, dtype=float), least, most), made.item_ids)


def test_a_tag_is_one_term_and_prose_is_every_three_words_in_a_row():
    found = all_of({"x": [("tag", "Dark Slow Sad Wave", 1), ("prose", "one two three four", 1)]})
    assert set(found["x"]) == {
        *("dark slow sad wave", "one", "two", "three", "four"),
        *("one two", "two three", "three four", "one two three", "two three four"),
    }


def test_spellings_of_a_term_are_one_and_their_writers_are_counted_together():
    found = all_of({"x": [("tag", "Hip-Hop", 2), ("tag", "hip hop", 3), ("tag", "ＨＩＰ  ＨＯＰ", 1), ("tag", "…", 9)]})
    assert found["x"] == pytest.approx({"hip hop": np.log(7)})


def test_sources_count_for_their_shares():
    about = {"x": [("tag", "sad", 4), ("playlist", "sad", 2), ("prose", "sad", 1)]}
    assert all_of(about, shares=(1, 0.5, 0))["x"] == pytest.approx({"sad": np.log(5) + 0.5 * np.log(3)})


def test_a_word_twice_in_a_text_was_written_once():
    assert all_of({"x": [("prose", "sad sad", 1)]})["x"]["sad"] == pytest.approx(np.log(2))


def test_terms_of_too_few_or_too_many_say_nothing():
    about = {f"{row}": [("tag", "music", 1)] for row in range(10)}
    about["0"] += [("tag", "odd", 1), ("tag", "polka", 1)]
    about["1"] += [("tag", "polka", 1)]
    assert all_of(about, least=2, most=0.5) == {
        **{f"{row}": {} for row in range(10)},
        "0": {"polka": np.log(2)},
        "1": {"polka": np.log(2)},
    }


def test_a_phrase_begins_and_ends_with_terms():
    """Where "of" and "the" are written about everything, phrases lie between other words; tags need not."""
    about = {f"{row}": [("prose", "of the", 1)] for row in range(8)}
    for artist in "01":
        about[artist] += [("playlist", "loud rock of its the era", 1), ("tag", "Tales of the", 1)]
    found = all_of(about, least=2, most=0.5)
    assert set(found["0"]) == {
        *("loud", "rock", "its", "era", "loud rock", "rock of its", "its the era", "tales of the"),
    }


def test_people_are_shown_tags_first_and_no_parts_of_other_terms(monkeypatch):
    about = {f"{row}": [("tag", "indie rock", 9), ("playlist", "classic era indie", 9)] for row in range(4)}
    about["0"] += [("tag", "rock", 2), ("prose", "slow", 40), ("playlist", "era", 9)]
    for artist in "45678":
        about[artist] = [("tag", "rock", 1), ("playlist", "era", 9)]
    fitted = Cultural(least_items=1, most_items=1.0).fit(writings(about))
    # "classic", "indie", "classic era" and "era indie" are always of "classic era indie"; "rock" and "era" are not.
    assert [term for term, _ in fitted.top_terms("0", 8)] == ["indie rock", "rock", "slow", "classic era indie", "era"]
    assert [term for term, _ in fitted.top_terms("0", 2)] == ["indie rock", "rock"]
    monkeypatch.setattr("crossfade.models.cultural.CHUNK", 5)
    counts = dict(zip(fitted.vocabulary, fitted.frequencies.tolist(), strict=True))
    assert (counts["indie rock"], counts["rock"], counts["era"]) == (4, 6, 9)


def test_a_tag_is_no_part_of_a_phrase():
    """Of a phrase it is, which says the same twice."""
    about = {f"{row}": [("tag", "dub", 9), ("playlist", "late dub night", 3)] for row in range(3)}
    fitted = Cultural(least_items=1, most_items=1.0).fit(writings(about))
    assert [term for term, _ in fitted.top_terms("0", 8)] == ["dub", "late dub night"]


def test_an_artists_own_name_says_nothing_of_them():
    about = {
        "eagles": [("playlist", "Best of The Eagles", 1)],
        "low": [("tag", "low", 5), ("tag", "slow", 5)],
        "other": [("tag", "low", 1), ("playlist", "Best of The Eagles", 1)],
    }
    names = {"eagles": "The Eagles", "low": "Low"}
    found = all_of(about, names)
    # "eagles" alone is but a part of the name, as "queen" may be.
    assert set(found["eagles"]) == {"best", "of", "the", "eagles", "best of", "of the", "best of the"}
    assert set(found["low"]) == {"slow"}
    assert {"low", "the eagles", "of the eagles"} <= set(found["other"])


def test_weights_are_those_worked_out_by_hand():
    about = {"x": [("tag", "sad", 3), ("tag", "loud", 1)], "y": [("tag", "sad", 1)], "z": [("tag", "loud", 1)], "v": []}
    fitted = Cultural(least_items=1, most_items=1.0).fit(writings(about))
    # Three artists are written about; either term is written of two of them.
    idf = np.log(1 + (3 - 2 + 0.5) / 2.5)
    weights = np.array([np.log(4) * idf, np.log(2) * idf])
    assert [term for term, _ in fitted.top_terms("x")] == ["sad", "loud"]
    assert [weight for _, weight in fitted.top_terms("x")] == pytest.approx(weights / np.linalg.norm(weights), rel=1e-6)
    assert fitted.top_terms("y") == [("sad", 1.0)]
    assert fitted.top_terms("v") == []
    assert fitted.top_terms("x", 1) == fitted.top_terms("x")[:1]
    rows, found = fitted.about("a SAD song", 5)
    assert fitted.item_ids.select(rows) == ["x", "y"]
    assert found == pytest.approx([weights[0] / np.linalg.norm(weights) * np.log(3), np.log(2)], rel=1e-6)
    assert [part.size for part in fitted.about("merry")] == [0, 0]
    assert fitted.support.tolist() == [0, 2, 1, 1]
    with pytest.raises(UnknownIdError):
        fitted.top_terms("w")


def test_the_gaussian_favours_the_middle():
    about = {f"{row:02}": [("tag", "common", 1)] for row in range(32)}
    for row in range(6):
        about[f"{row:02}"].append(("tag", "middling", 1))
    about["00"].append(("tag", "rare", 1))
    fitted = Cultural(weighting="gaussian", least_items=1, most_items=1.0).fit(writings(about))
    # Medians of ln 1, ln 6, ln 32.
    far = [np.exp(-((np.log(df) - np.log(6)) ** 2) / 2) for df in (6, 32, 1)]
    expected = [weight / np.linalg.norm(far) for weight in far]
    assert fitted.top_terms("00")[0][0] == "middling"
    assert dict(fitted.top_terms("00")) == pytest.approx(
        dict(zip(("middling", "common", "rare"), expected, strict=True))
    )


GENRES = ("metal", "jazz", "techno")


@pytest.fixture(scope="module")
def planted():
    """Sixty artists of three genres; words of the genre are written of them, and words of no meaning."""
    rng = np.random.default_rng(5)
    about = {}
    for row in range(60):
        genre = GENRES[row % 3]
        own = [("tag", f"{genre} {word}", int(rng.integers(1, 5))) for word in rng.choice(list("abcdefgh"), 4, False)]
        noise = [("playlist", f"mix {number}", 1) for number in rng.choice(20, 3, False)]
        about[f"{row:02}"] = own + noise
    about["60"] = []
    return writings(about)


def test_planted_genres_are_found(planted):
    fitted = Cultural(factors=8).fit(planted)
    rows = np.arange(60)
    found = fitted.similar([f"{row:02}" for row in rows], 10)
    assert np.mean(found.rows % 3 == rows[:, None] % 3) > 0.95
    assert all(fitted.top_terms(f"{row:02}", 1)[0][0].split()[0] == GENRES[row % 3] for row in rows)


def test_of_whom_nobody_wrote_nothing_is_known(planted):
    fitted = Cultural(factors=8).fit(planted)
    assert not fitted.space.item_vectors[60].any()
    assert fitted.top_terms("60") == []


def test_the_largest_directions_hold_the_cosines(planted):
    """With as many factors as there can be, the vectors have the cosines of the words."""
    fitted = Cultural(factors=64).fit(planted)
    words = np.zeros((61, len(fitted.vocabulary)))
    words[np.repeat(np.arange(61), np.diff(fitted.words.indptr)), fitted.words.indices] = fitted.words.values
    vectors = fitted.space.item_vectors.astype(np.float64)
    vectors = vectors[:60] / np.linalg.norm(vectors[:60], axis=1, keepdims=True)
    np.testing.assert_allclose(vectors[0] @ vectors[1:].T, words[0] @ words[1:60].T, atol=0.02)


def test_equal_writings_give_equal_bytes(planted):
    one, other = (Cultural(factors=8).fit(planted, threads=threads) for threads in (1, 2))
    assert one.space.space_id == other.space.space_id
    # The order in which texts were read changes nothing.
    order = np.random.default_rng(0).permutation(len(planted))
    mixed = Writings(
        **{
            **vars(planted),
            "sources": planted.sources[order],
            "items": planted.items[order],
            "counts": planted.counts[order],
            "texts": Texts.of([planted.texts[int(row)] for row in order]),
        }
    )
    assert Cultural(factors=8).fit(mixed).space.space_id == one.space.space_id


def test_saved_and_loaded_it_knows_its_words(planted, tmp_path):
    fitted = Cultural(factors=8).fit(planted)
    fitted.save(tmp_path)
    loaded = FittedCultural.load(tmp_path)
    assert loaded.top_terms("07") == fitted.top_terms("07")
    assert loaded.tagged.tolist() == [not term.startswith("mix") and not term.isdigit() for term in loaded.vocabulary]
    np.save(tmp_path / "words_indices.npy", fitted.words.indices[1:])
    with pytest.raises(ArtifactError, match="words"):
        FittedCultural.load(tmp_path)


def test_without_any_writings_nothing_is_known():
    fitted = Cultural().fit(writings({"a": [], "b": []}))
    assert fitted.space.item_vectors.shape == (2, 128)
    assert not fitted.space.item_vectors.any()
