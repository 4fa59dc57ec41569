"""Matching the names that people type with the names of a catalogue.

Text is folded (`crossfade.core.names.folded`). Names are found through their *grams*: the three-letter pieces of each
word with two spaces before it and one after it (the word "radio" begins with "  r", " ra", "rad"), as in PostgreSQL's
pg_trgm. A folded name is then judged by how well it matches the folded question.
"""

import difflib
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from crossfade.core.ids import Rows

NOTHING, PART, WORDS, BEGINNING, SQUEEZED, WHOLE = range(6)
"""How well a name matches a question, from not at all to letter by letter."""

LEAST_SIMILARITY = 0.6
"""Of a suggested name, 0 to 1; below it suggestions look random."""

BLOCK = 1 << 16
"""Texts whose letters are in memory at a time, at some 20 bytes each."""

LONGEST_QUESTION = 200
"""Letters of a name; the rest of what was typed is not looked at."""

SUGGESTIONS = 5
"""Of names or users, at most."""

CANDIDATES = 256
"""Names that a search looks at one by one: those with the most listeners that share its grams."""

_SPACE, _BITS = ord(" "), 21  # no code of a letter has more bits


def squeezed(folded_text: str) -> str:
    """Return folded text without its spaces: "ac dc" and "acdc" are one."""
    return folded_text.replace(" ", "")


def name_digest(folded_text: str) -> int:
    """Return a signed number of 64 bits that stands for folded text however it is spaced.

    One of 10¹⁹ pairs of names shares it by accident, and it takes a fraction of the space of a name.
    """
    digest = hashlib.blake2b(squeezed(folded_text).encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def spoken(name: str, parent: str | None) -> tuple[str, ...]:
    """Return the names that people use for an item: its own, and where it has a parent also both, in either order."""
    return (name,) if parent is None else (name, f"{name} {parent}", f"{parent} {name}")


def grams(folded_text: str, *, closed: bool = True) -> list[str]:
    """Return the distinct grams of folded text, sorted; unless ``closed``, without those that end a word."""
    pieces: set[str] = set()
    for word in _words(folded_text):
        padded = f"  {word} " if closed else f"  {word}"
        pieces.update(padded[start : start + 3] for start in range(len(padded) - 2))
    return sorted(pieces)


def postings(folded_texts: Sequence[str]) -> Iterator[tuple[str, Rows]]:
    """Yield the `grams` of all texts, sorted, each with the places of the texts that have it, ascending."""
    found: dict[int, list[Rows]] = {}
    for first in range(0, len(folded_texts), BLOCK):
        padded = ["".join(f"  {word} " for word in _words(text)) for text in folded_texts[first : first + BLOCK]]
        letters = np.frombuffer("".join(padded).encode("utf-32-le"), dtype="<u4").astype(np.int64)
        places = np.repeat(np.arange(first, first + len(padded), dtype=np.int32), [len(text) for text in padded])
        one, two, three = letters[:-2], letters[1:-1], letters[2:]
        # Other three letters in a row are of two words, the second of which begins with two spaces.
        inside = np.flatnonzero((two != _SPACE) | ((one == _SPACE) & (three != _SPACE)))
        codes = (one[inside] << 2 * _BITS) | (two[inside] << _BITS) | three[inside]
        order = np.argsort(codes, kind="stable")
        codes, places = codes[order], places[1:-1][inside[order]]
        new = np.ones(len(codes), dtype=np.bool_)
        new[1:] = (codes[1:] != codes[:-1]) | (places[1:] != places[:-1])
        codes, places = codes[new], places[new]
        starts = np.flatnonzero(np.diff(codes, prepend=-1)).tolist()
        for start, end in pairwise([*starts, len(codes)]):
            found.setdefault(int(codes[start]), []).append(places[start:end])
    for code in sorted(found):
        gram = "".join(chr(code >> shift & (1 << _BITS) - 1) for shift in (2 * _BITS, _BITS, 0))
        yield gram, np.concatenate(found[code])


def in_all(posted: Sequence[Rows], whole: int | None = None) -> Rows:
    """Return the ranks that are in every one of the ascending lists, ascending.

    A list of ``whole`` ranks or more is the beginning of a longer one, which may have any rank after its last.
    """
    common, *rest = sorted(posted, key=len) or [np.zeros(0, np.int32)]
    for ranks in rest:
        places = np.minimum(np.searchsorted(ranks, common), len(ranks) - 1)
        having = ranks[places] == common
        if whole is not None and len(ranks) >= whole:
            having |= common > ranks[-1]
        common = common[having]
    return common


def in_most(posted: Sequence[Rows]) -> npt.NDArray[np.intp]:
    """Return the `CANDIDATES` ranks that are in most of the lists: those in more of them first, then ascending."""
    counts = np.bincount(np.concatenate([np.zeros(0, np.int32), *posted]))
    # A stable sort of small numbers is one pass; a question has a few hundred grams at most.
    best = np.argsort(-counts.astype(np.int16), kind="stable")[:CANDIDATES]
    return best[counts[best] > 0]


def how_well(question: str, *names: str) -> int:
    """Return the best match, `NOTHING` to `WHOLE`, of folded ``question`` with one of an item's folded ``names``."""
    best = NOTHING
    for name in names:
        if name == question:
            return WHOLE
        if squeezed(name) == squeezed(question):
            best = max(best, SQUEEZED)
        elif name.startswith(question):
            best = max(best, BEGINNING)
        elif _words_begin(question.split(), name.split()):
            best = max(best, WORDS)
        elif question in name:
            best = max(best, PART)
    return best


def nearest_names(question: str, names: Iterable[tuple[str, str]], *, limit: int) -> tuple[str, ...]:
    """Return up to ``limit`` names similar to ``question``; ``names`` are (folded, name), the more played first."""
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(squeezed(question))
    similar: dict[str, float] = {}
    for folded_name, name in names:
        matcher.set_seq1(squeezed(folded_name))
        if name not in similar and matcher.quick_ratio() >= LEAST_SIMILARITY:
            similar[name] = matcher.ratio()
    # The sort is stable: among equally similar names the more played one stays first.
    best = sorted(similar.items(), key=lambda pair: -pair[1])[:limit]
    return tuple(name for name, similarity in best if similarity >= LEAST_SIMILARITY)


def _words(folded_text: str) -> list[str]:
    """Return the words; each letter of a script that has none (Han, kana) is one."""
    if folded_text.isascii():
        return folded_text.split()
    spaced = "".join(f" {letter} " if _stands_alone(letter) else letter for letter in folded_text)
    return spaced.split()


def _stands_alone(letter: str) -> bool:
    return "\u3040" <= letter <= "\u30ff" or "\u3400" <= letter <= "\u9fff" or "\U00020000" <= letter <= "\U0003ffff"


def _words_begin(beginnings: Sequence[str], words: Sequence[str]) -> bool:
    return all(any(word.startswith(beginning) for word in words) for beginning in beginnings)
