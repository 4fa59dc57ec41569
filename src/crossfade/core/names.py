"""Names of items, in the two forms that they are compared in.

`normalised` makes ids: it undoes what machines do to a name (case, compatibility forms, white space) and keeps what
people write, so that Björk and Bjork stay two. `folded` meets what people type and tells whether two names mean the
same: accents, punctuation and ligatures go too. An id must not change between versions, so only `folded` may improve.
"""

import unicodedata

NAMED = "name:"
"""The prefix of ids that are made from a name, where the source gives no id."""

LONGEST = 8192  # characters of a name that count; imports drop names over 4,096. Composing accents takes quadratic time


class _Folding(dict[int, str]):
    """What each letter of a decomposed name is folded to, by its code, computed when it is first asked for."""

    def __missing__(self, code: int) -> str:
        category = unicodedata.category(chr(code))
        kept = category[0] in "LNM" or category == "Sc"
        self[code] = "" if category == "Mn" else chr(code) if kept else " "
        return self[code]


# Letters that have no canonical decomposition, and a sign that people write in two ways.
_LETTERS = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "&": " and "}
# "R.E.M." is "rem", "don't" is "dont"; other punctuation separates words.
_FOLDING = _Folding({ord(letter): folded for letter, folded in (_LETTERS | dict.fromkeys(".'’‘`´", "")).items()})


def normalised(name: str) -> str:
    """Return ``name`` as ids contain it: compatibility forms folded, case folded, white space collapsed.

    What follows the first `LONGEST` characters is left out.
    """
    return " ".join(unicodedata.normalize("NFKC", name[:LONGEST]).casefold().split())


def named_id(name: str, parent: str | None = None) -> str:
    """Return the id of an item known only by its ``name`` and, where it has one, the name of its ``parent``."""
    return NAMED + (normalised(name) if parent is None else f"{normalised(parent)} / {normalised(name)}")


def folded(text: str) -> str:
    """Return ``text`` for search and comparison: words of letters and digits, without case, accents and punctuation.

    A name that is all punctuation ("!!!") is kept as it is, in small letters.
    """
    plain = unicodedata.normalize("NFKD", text[:LONGEST]).casefold().translate(_FOLDING)
    return " ".join(plain.split()) or " ".join(text.casefold().split())
