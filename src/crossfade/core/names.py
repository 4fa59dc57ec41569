"""Names of items: how they are compared, and the ids that are made from them."""

import unicodedata

NAMED = "name:"
"""The prefix of ids that are made from a name, where the source gives no id."""


def normalised(name: str) -> str:
    """``name`` for comparison: compatibility forms folded, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def named_id(name: str, parent: str | None = None) -> str:
    """The id of an item known only by its ``name`` and, where it has one, the name of its ``parent``."""
    return NAMED + (normalised(name) if parent is None else f"{normalised(parent)} / {normalised(name)}")
