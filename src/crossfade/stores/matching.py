"""How names that people type meet names that a catalogue has.

Text is folded (`crossfade.core.names.folded`). Names are found through their *grams*, the three-letter
pieces of each word with two spaces before it and one behind (so that "rad" begins a word by "  r", " ra",
"rad"), as in PostgreSQL's pg_trgm. A folded name is then judged by how it meets the folded question.
"""

import difflib
import hashlib
from collections.abc import Iterable, Sequence

NOTHING, PART, WORDS, BEGINNING, SQUEEZED, WHOLE = range(6)
"""How well a name meets a question, from not at all to letter by letter."""

ENOUGH_ALIKE = 0.6
"""The least similarity, 0 to 1, of a name that is suggested; below it suggestions look random."""


def squeezed(folded_text: str) -> str:
    """Folded text without its spaces: "ac dc" and "acdc" are one."""
    return folded_text.replace(" ", "")


def name_digest(folded_text: str) -> int:
    """A number of 64 bits, with a sign, that stands for folded text however it is spaced.

    Two names share one by accident once in 10¹⁹ pairs, and it takes a fraction of a name's room.
    """
    said = hashlib.blake2b(squeezed(folded_text).encode(errors="surrogatepass"), digest_size=8)
    return int.from_bytes(said.digest(), "big", signed=True)


def spoken(name: str, parent: str | None) -> tuple[str, ...]:
    """Return the names that people use for an item: its own, and where it has a parent also both, in either order."""
    return (name,) if parent is None else (name, f"{name} {parent}", f"{parent} {name}")


def grams(folded_text: str, *, closed: bool = True) -> list[str]:
    """The distinct grams of folded text, sorted; unless ``closed``, without those that end a word."""
    pieces: set[str] = set()
    for word in _words(folded_text):
        padded = f"  {word} " if closed else f"  {word}"
        pieces.update(padded[start : start + 3] for start in range(len(padded) - 2))
    return sorted(pieces)


def how_well(question: str, *names: str) -> int:
    """The best of `NOTHING` … `WHOLE` that folded ``question`` reaches among a thing's folded ``names``."""
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
    """Up to ``limit`` names that look like ``question``; ``names`` are (folded, name), the more played first."""
    matcher = difflib.SequenceMatcher(autojunk=False)
    matcher.set_seq2(squeezed(question))
    alike: dict[str, float] = {}
    for folded_name, name in names:
        matcher.set_seq1(squeezed(folded_name))
        if name not in alike and matcher.quick_ratio() >= ENOUGH_ALIKE:
            alike[name] = matcher.ratio()
    # The sort is stable: among equally similar names the more played one stays first.
    best = sorted(alike.items(), key=lambda pair: -pair[1])[:limit]
    return tuple(name for name, similarity in best if similarity >= ENOUGH_ALIKE)


def _words(folded_text: str) -> list[str]:
    """Words; where a script writes none (Han, kana), each of its letters is one."""
    spaced = "".join(f" {letter} " if _stands_alone(letter) else letter for letter in folded_text)
    return spaced.split()


def _stands_alone(letter: str) -> bool:
    return "\u3040" <= letter <= "\u30ff" or "\u3400" <= letter <= "\u9fff" or "\U00020000" <= letter <= "\U0003ffff"


def _words_begin(asked: Sequence[str], words: Sequence[str]) -> bool:
    return all(any(word.startswith(wanted) for word in words) for wanted in asked)
