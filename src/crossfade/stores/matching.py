"""Matching the names that people type with the names of a catalogue.

Text is folded (`crossfade.core.names.folded`). Names are found through their *grams*: the three-letter pieces of each
word with two spaces before it and one after it (the word "radio" begins with "  r", " ra", "rad"), as in PostgreSQL's
pg_trgm. A folded name is then judged by how well it matches the folded question.
"""

import difflib
import hashlib
from collections.abc import Iterable, Sequence

NOTHING, PART, WORDS, BEGINNING, SQUEEZED, WHOLE = range(6)
"""How well a name matches a question, from not at all to letter by letter."""

LEAST_SIMILARITY = 0.6
"""Of a suggested name, 0 to 1; below it suggestions look random."""


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
