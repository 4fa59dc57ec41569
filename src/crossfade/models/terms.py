"""The terms that are written about items, and how often.

A tag is one term; a title or prose has every one to three words in a row as terms, if the first and the last are terms
themselves: "of its" is none where "of" is written about nearly everything. Letters are folded and punctuation separates
words, so that "Hip-Hop" and "hip hop" are one. An item's own name says nothing about it: terms that contain the whole
name, or are several words of it, are left out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import compress

import numpy as np
import numpy.typing as npt

from crossfade.core.csr import gathered, starts_of
from crossfade.core.ids import MISSING
from crossfade.core.names import normalised
from crossfade.core.texts import Texts
from crossfade.core.writings import SOURCES, Writings

LONGEST = 3
"""Words of a term."""

_WORDS = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Mentions:
    """Which terms are written about which items: n pairs, each once, by item and term ascending.

    vocabulary     the terms that are written about neither too few nor too many items, ascending
    tagged         (terms,) whether somebody gives the term as a tag
    items, terms   (n,) rows of items, places in the vocabulary
    strengths      (n,) float64 Σ over the sources of their share times ln(1 + how many wrote it)
    frequencies    (terms,) of how many items each term is written
    written_about  items that anything is written about
    """

    vocabulary: Texts
    tagged: npt.NDArray[np.bool_]
    items: Numbers
    terms: Numbers
    strengths: npt.NDArray[np.float64]
    frequencies: Numbers
    written_about: int


def mentions(writings: Writings, shares: npt.NDArray[np.float64], least: int, most: float) -> Mentions:
    """The terms of ``writings`` that neither too few nor too many items have.

    shares  (sources,) what each source counts for; one of 0 is not read
    least   items that a term is written about at least
    most    share of the items written about that it is written about at most
    """
    codes: dict[str, int] = {}
    items, terms, strengths, tags = [_no_numbers()], [_no_numbers()], [np.zeros(0)], [_no_numbers()]
    for source, share in enumerate(shares):
        if not share:
            continue
        of_items, of_terms, counts = _of_source(writings, source, codes)
        items.append(of_items)
        terms.append(of_terms)
        strengths.append(share * np.log1p(counts))
        tags += [of_terms] if SOURCES[source] == "tag" else []
    names = [_words(name) for name in writings.names]
    width = max(len(codes), 1)
    keys, places = np.unique(np.concatenate(items) * width + np.concatenate(terms), return_inverse=True)
    strength = np.bincount(places, weights=np.concatenate(strengths), minlength=len(keys)).astype(np.float64)
    item, term = keys // width, keys % width
    written_about = len(np.unique(item))
    kept = ~_own_names(item, term, names, codes)
    frequency = np.bincount(term[kept], minlength=width)
    counted = (frequency >= least) & (frequency <= max(most * written_about, least))
    tagged = np.zeros(width, dtype=bool)
    tagged[np.concatenate(tags)] = True
    counted &= tagged | counted[_ends(codes)].all(axis=1)
    kept &= counted[term]
    # Ascending by their text, so that nothing depends on the order in which texts were read.
    spelled = list(codes)
    chosen = sorted(np.flatnonzero(counted).tolist(), key=lambda code: spelled[code]) if codes else []
    place = np.full(width, MISSING, dtype=np.int64)
    place[chosen] = np.arange(len(chosen))
    order = np.lexsort((place[term[kept]], item[kept]))
    return Mentions(
        vocabulary=Texts.of([spelled[code] for code in chosen]),
        tagged=tagged[chosen],
        items=item[kept][order],
        terms=place[term[kept]][order],
        strengths=strength[kept][order],
        frequencies=frequency[chosen].astype(np.int64),
        written_about=written_about,
    )


def terms_in(text: str) -> list[str]:
    """Return the terms of ``text``: each one to three words in a row, once each, and all its words as one tag."""
    words = _words(text)
    return list(dict.fromkeys([*_prose_terms(words), *_tag_terms(words)]))


def _of_source(writings: Writings, source: int, codes: dict[str, int]) -> tuple[Numbers, Numbers, Numbers]:
    """(item, term, how many wrote it) of one source, each pair once; new terms get the next codes."""
    own = np.flatnonzero(writings.sources == source)
    # The same text is written about many, so each is read once.
    texts: dict[str, int] = {}
    of_source = compress(writings.texts, writings.sources == source)
    which = np.fromiter((texts.setdefault(text, len(texts)) for text in of_source), dtype=np.int64, count=len(own))
    split = _tag_terms if SOURCES[source] == "tag" else _prose_terms
    terms = [[codes.setdefault(term, len(codes)) for term in dict.fromkeys(split(_words(text)))] for text in texts]
    flat = np.fromiter((code for some in terms for code in some), dtype=np.int64)
    starts, places = gathered(starts_of([len(some) for some in terms]), which)
    lengths = np.diff(starts)
    width = max(len(codes), 1)
    keys, inverse = np.unique(
        np.repeat(writings.items[own].astype(np.int64), lengths) * width + flat[places], return_inverse=True
    )
    counts = np.bincount(inverse, weights=np.repeat(writings.counts[own], lengths), minlength=len(keys))
    return keys // width, keys % width, counts.astype(np.int64)


def _own_names(items: Numbers, terms: Numbers, names: list[list[str]], codes: dict[str, int]) -> npt.NDArray[np.bool_]:
    """(n,) whether a term of an item contains the item's whole name, or is several words of it."""
    width = max(len(codes), 1)
    whole = np.array([codes.get(" ".join(name), MISSING) for name in names], dtype=np.int64)
    parts = _parts(codes)
    owned = (whole[items][:, None] == parts[terms]) & (whole[items] != MISSING)[:, None]
    several = [
        row * width + codes[part]
        for row, name in enumerate(names)
        for part in _prose_terms(name)
        if " " in part and part in codes
    ]
    return np.asarray(owned.any(axis=1) | np.isin(items * width + terms, several))


def _parts(codes: dict[str, int]) -> Numbers:
    """(terms, 6) the codes of all words in a row that a term has, itself among them; padded with MISSING - 1."""
    parts = np.full((max(len(codes), 1), LONGEST * (LONGEST + 1) // 2), MISSING - 1, dtype=np.int64)
    for term, code in codes.items():
        inside = [codes.get(part, MISSING - 1) for part in _prose_terms(term.split(" "))][: parts.shape[1]]
        # A long tag is a term as a whole.
        parts[code, : len(inside)] = inside
        parts[code, -1] = code
    return parts


def _ends(codes: dict[str, int]) -> Numbers:
    """(terms, 2) the codes of the first and the last word of each term; of a tag whose words are no terms, its own."""
    ends = np.zeros((max(len(codes), 1), 2), dtype=np.int64)
    for term, code in codes.items():
        words = term.split(" ")
        ends[code] = codes.get(words[0], code), codes.get(words[-1], code)
    return ends


def _words(text: str) -> list[str]:
    return _WORDS.findall(normalised(text))


def _tag_terms(words: list[str]) -> Iterator[str]:
    if words:
        yield " ".join(words)


def _prose_terms(words: list[str]) -> Iterator[str]:
    for length in range(1, LONGEST + 1):
        for first in range(len(words) - length + 1):
            yield " ".join(words[first : first + length])


def _no_numbers() -> Numbers:
    return np.zeros(0, dtype=np.int64)
