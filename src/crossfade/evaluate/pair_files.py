"""Text files of who played what, as papers publish their splits.

Two forms, of words separated by white space; empty lines are skipped:

    lists   user item item …       all items of a user on one line
    pairs   user item [weight]     one pair a line

A file is read as pairs if no line has more than three words and some user is on more than one line, or if each line
has exactly two words; else as lists. ``form`` decides where that is wrong.
"""

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from crossfade.core.errors import InputError
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions

Form = Literal["auto", "lists", "pairs"]

LONGEST_SHOWN = 80
"""Characters of a line that an error shows."""


def read_pairs(paths: Sequence[Path], form: Form = "auto") -> list[Interactions]:
    """Return the interactions of each of ``paths``, with all ids in each, so that rows mean the same in all.

    A pair without a weight weighs 1. Weights of a pair that is there twice are summed; in a list it counts once. Raises
    InputError, with file and line, for what cannot be read.
    """
    forms = [_guessed(path) if form == "auto" else form for path in paths]
    if len(set(forms)) > 1:
        # A short test file can look like pairs beside a train file of lists.
        forms = ["lists"] * len(paths)
    users: dict[str, int] = {}
    items: dict[str, int] = {}
    columns = [_columns(path, chosen == "pairs", users, items) for path, chosen in zip(paths, forms, strict=True)]
    user_ids, item_ids = Ids.of(users), Ids.of(items)
    user_rows, item_rows = (
        ids.rows(list(names)) if names else np.zeros(0, dtype=np.int32)
        for ids, names in ((user_ids, users), (item_ids, items))
    )
    return [
        Interactions.from_rows(user_ids, item_ids, user_rows[by], item_rows[what], weights)
        for by, what, weights in columns
    ]


def _columns(
    path: Path, pairs: bool, users: dict[str, int], items: dict[str, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    by, what, weights = array("i"), array("i"), array("d")
    for number, words in _lines(path):
        user = users.setdefault(words[0], len(users))
        if not pairs:
            # Twice on a line is a mistake in the file, not a second play.
            for item in dict.fromkeys(words[1:]):
                by.append(user)
                what.append(items.setdefault(item, len(items)))
                weights.append(1.0)
            continue
        if len(words) not in (2, 3):
            raise _unreadable(path, number, words, "a pair is a user, an item and optionally a weight")
        by.append(user)
        what.append(items.setdefault(words[1], len(items)))
        weights.append(_weight(path, number, words))
    if not by:
        raise InputError(
            f"{path} has no pair of a user and an item. A line is: user item item …, or: user item weight."
        )
    return tuple(np.frombuffer(column, dtype=column.typecode) for column in (by, what, weights))  # type: ignore[return-value]


def _weight(path: Path, number: int, words: Sequence[str]) -> float:
    try:
        weight = float(words[2]) if len(words) == 3 else 1.0
    except ValueError:
        weight = float("nan")
    if not 0 < weight < float("inf"):
        raise _unreadable(path, number, words, "a weight is a number above zero")
    return weight


def _guessed(path: Path) -> Literal["lists", "pairs"]:
    seen: set[str] = set()
    repeated, only_two = False, True
    for _, words in _lines(path):
        if len(words) > 3:
            return "lists"
        only_two &= len(words) == 2
        repeated |= words[0] in seen
        seen.add(words[0])
    return "pairs" if repeated or only_two else "lists"


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if words := line.split():
                    yield number, words
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not text in UTF-8: {error}.") from error


def _unreadable(path: Path, number: int, words: Sequence[str], what: str) -> InputError:
    shown = " ".join(words)
    shown = shown if len(shown) <= LONGEST_SHOWN else f"{shown[:LONGEST_SHOWN]}…"
    return InputError(f"{path}, line {number}: {shown!r} is no pair: {what}. If these are lists, add --form lists.")
