"""Names of items, in the two forms that they are compared in.

`normalised` makes ids: it undoes what machines do to a name (case, compatibility forms, white space) and keeps what
people write, so that Björk and Bjork stay two. `folded` meets what people type and tells whether two names mean the
same: accents, punctuation and ligatures go too. An id must not change between versions, so only `folded` may improve.
"""

import unicodedata

NAMED = "name:"
"""The prefix of ids that are made from a name, where the source gives no id."""

# Letters that have no canonical decomposition, and a sign that people write in two ways.
_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "&": " and "}
)
_DROPPED = frozenset(".'’‘`´")  # "R.E.M." is "rem", "don't" is "dont"; other punctuation separates words


def normalised(name: str) -> str:
    """Return ``name`` as ids contain it: compatibility forms folded, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def named_id(name: str, parent: str | None = None) -> str:
    """Return the id of an item known only by its ``name`` and, where it has one, the name of its ``parent``."""
    return NAMED + (normalised(name) if parent is None else f"{normalised(parent)} / {normalised(name)}")


def folded(text: str) -> str:
    """Return ``text`` for search and comparison: words of letters and digits, without case, accents and punctuation.

    A name that is all punctuation ("!!!") is kept as it is, in small letters.
    """
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_LETTERS)
    kept = []
    for letter in plain:
        category = unicodedata.category(letter)
        if category == "Mn" or letter in _DROPPED:
            continue
        kept.append(letter if category[0] in "LNM" or category == "Sc" else " ")
    return " ".join("".join(kept).split()) or " ".join(text.casefold().split())
