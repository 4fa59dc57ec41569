"""Names that people type, and names that a catalogue has."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crossfade.core.names import folded
from crossfade.stores import matching
from crossfade.stores.matching import (
    BEGINNING,
    NOTHING,
    PART,
    SQUEEZED,
    WHOLE,
    WORDS,
    grams,
    how_well,
    name_digest,
    nearest_names,
    postings,
    squeezed,
)


def test_a_name_has_one_digest_however_it_is_spaced():
    assert name_digest("ac dc") == name_digest("acdc") != name_digest("acdx")
    # BLAKE2b with eight bytes of digest, as `b2sum -l 64` prints it.
    assert name_digest("abc").to_bytes(8, "big", signed=True).hex() == "d8bb14d833d59559"


def test_grams_of_a_word():
    assert grams("abba") == ["  a", " ab", "abb", "ba ", "bba"]
    assert grams("abba", closed=False) == ["  a", " ab", "abb", "bba"]
    assert grams("ab c") == ["  a", "  c", " ab", " c ", "ab "]
    assert grams("") == []


def test_letters_that_stand_alone_are_words():
    assert grams("林檎") == ["  林", "  檎", " 林 ", " 檎 "]


@settings(max_examples=40)
@given(st.lists(st.text(max_size=20).map(folded)), st.integers(1, 4))
@example(["", "a", "", "ab 林檎b c", "a a", "aaaa", "\U0010ffff"], 3)
def test_the_postings_of_a_gram_are_the_texts_that_have_it(texts, block):
    wanted = {}
    for place, text in enumerate(texts):
        for gram in grams(text):
            wanted.setdefault(gram, []).append(place)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(matching, "BLOCK", block)
        found = [(gram, places.tolist()) for gram, places in postings(texts)]
    assert found == sorted(wanted.items())


@given(st.text(max_size=20), st.text(max_size=20))
def test_the_open_grams_of_a_beginning_are_among_those_of_the_whole(beginning, rest):
    start = folded(beginning)
    assert set(grams(start, closed=False)) <= set(grams(start + squeezed(folded(rest))))


@pytest.mark.parametrize(
    ("question", "names", "wanted"),
    [
        ("creep", ["creep"], WHOLE),
        ("acdc", ["ac dc"], SQUEEZED),
        ("rad", ["radiohead"], BEGINNING),
        ("floyd pi", ["pink floyd"], WORDS),
        ("adio", ["radiohead"], PART),
        ("abba", ["radiohead"], NOTHING),
        ("creep", ["the creeps", "creep"], WHOLE),
        ("creep", [], NOTHING),
    ],
)
def test_how_well_a_name_is_met(question, names, wanted):
    assert how_well(question, *names) == wanted


def test_the_nearest_names_come_first():
    names = [("bjorn", "Björn"), ("radiohead", "Radiohead"), ("bjork", "Björk"), ("metallica", "Metallica")]
    # One letter changed places in "Björk": more alike than "Björn", where one was lost besides.
    assert nearest_names("bjrok", names, limit=5) == ("Björk", "Björn")
    assert nearest_names("bjrok", names, limit=1) == ("Björk",)
    assert nearest_names("zzz", names, limit=5) == ()
