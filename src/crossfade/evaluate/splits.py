"""Ways to hide a part of the histories, so that a model can be asked for what it has not seen.

    temporal_listens       plays from a moment on, of plays with times; measures how well the future is predicted
    temporal               the same where only the last play of each pair has a time
    random_holdout         a share of each user's items (weak generalisation); measures how well tastes are completed
    k_fold                 the same, so that each pair is hidden once
    strong_generalisation  whole users, part of whose history is shown; measures how well new users are served

Without another word, all parts share the ids of the whole, so that rows mean the same in each. What is random follows
from the generator alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from crossfade.core.columns import ids_and_rows
from crossfade.core.errors import InputError
from crossfade.core.holdout import held_out, part_of, shuffled_places
from crossfade.core.ids import MISSING
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import FIRST_KIND
from crossfade.core.training import converted
from crossfade.models.contract import InputKind


@dataclass(frozen=True, eq=False, kw_only=True)
class Split:
    """What models are fitted on, and what they are then asked for. No pair is in both.

    shown    the histories of users that are not in train; None where all are asked about with that of train
    repeats  pairs of train that were played again, with how often; None where the split cannot tell
    inputs   what models of sequences and of texts are fitted on, where there is more than train: cut like train
    how      the split in words
    cut      train split once more, with inputs that are cut too, for a blend to learn its weights; see `cut_of`
    """

    train: Interactions
    test: Interactions
    shown: Interactions | None = None
    repeats: Interactions | None = None
    inputs: Mapping[InputKind, Any] = field(default_factory=dict)
    how: str = ""
    cut: "Split | None" = None


def cut_of(split: Split, fraction: float, seed: int) -> Split:
    """Return train split once more: its own cut, or one that hides a random ``fraction`` of each user's items.

    Sequences cannot be cut by pairs and are left out of the latter.
    """
    if split.cut is not None:
        return split.cut
    cut = random_holdout(split.train, fraction, np.random.default_rng(seed))
    texts: dict[InputKind, Any] = {name: one for name, one in split.inputs.items() if name == "texts"}
    return replace(cut, inputs=texts)


def random_holdout(interactions: Interactions, fraction: float, rng: np.random.Generator) -> Split:
    """Hide ``fraction``, above 0 and below 1, of each user's items, rounded to the nearest whole number.

    A user keeps at least one item. Raises InputError for another fraction.
    """
    hidden = held_out(interactions, fraction, rng)
    how = f"{fraction:.0%} of each user's items hidden"
    return Split(train=part_of(interactions, ~hidden), test=part_of(interactions, hidden), how=how)


def k_fold(interactions: Interactions, folds: int, rng: np.random.Generator) -> list[Split]:
    """Return ``folds`` splits, 2 or more, each of which hides another part of each user's items, of equal sizes to 1.

    A user with a single item keeps it in all of them. Raises InputError for fewer folds.
    """
    if folds < 2:
        raise InputError(f"there are 2 folds or more, not {folds}")
    lengths = np.diff(interactions.indptr)
    fold = shuffled_places(interactions, rng) % folds
    fold[np.repeat(lengths == 1, lengths)] = MISSING
    return [
        Split(
            train=part_of(interactions, fold != number),
            test=part_of(interactions, fold == number),
            how=f"fold {number + 1} of {folds}",
        )
        for number in range(folds)
    ]


def temporal_listens(users: Any, items: Any, times: Any, moment: Any, *, kind: str = FIRST_KIND) -> Split:
    """Return the plays before ``moment`` as train, and the pairs played from then on that are not in train as test.

    users, items  an id for each play, as in `Interactions.from_counts`
    times         of each play: numbers of any unit, such as seconds since 1970, or dates; ``moment`` is of the same

    Pairs of train that were played again are the repeats. Users who are not in train stay in test and are skipped when
    models are measured. Raises InputError for columns of unequal length, and if a part would be empty.
    """
    user_ids, user_rows = ids_and_rows("users", users)
    item_ids, item_rows = ids_and_rows("items", items)
    dates = np.asarray(times)
    seconds = converted("times", dates if dates.dtype.kind != "M" else _milliseconds(dates), np.float64)
    if not len(user_rows) == len(item_rows) == len(seconds):
        raise InputError(
            f"columns of unequal length: {len(user_rows)} users, {len(item_rows)} items, {len(seconds)} times"
        )
    before = seconds < (moment if dates.dtype.kind != "M" else _milliseconds(moment))
    if before.all() or not before.any():
        raise InputError(f"all plays are on one side of {moment}, so there is nothing to {_lacking(before)}")

    def of(chosen: npt.NDArray[np.bool_]) -> Interactions:
        counts = np.ones(int(chosen.sum()))
        return Interactions.from_rows(user_ids, item_ids, user_rows[chosen], item_rows[chosen], counts, kind=kind)

    return with_repeats(of(before), of(~before), how=f"plays from {moment} on hidden")


def with_repeats(train: Interactions, later: Interactions, *, how: str) -> Split:
    """Return the split of which ``later`` has both the test pairs and, of train's pairs, the repeats."""
    users = train.user_ids.rows(list(later.user_ids), missing="mark")
    items = train.item_ids.rows(list(later.item_ids), missing="mark")
    width = np.int64(len(train.item_ids))
    of_train = np.repeat(np.arange(len(train.user_ids)), np.diff(train.indptr)) * width + train.indices
    by = np.repeat(users, np.diff(later.indptr)).astype(np.int64)
    what = items[later.indices]
    seen = np.isin(by * width + what, of_train) & (by != MISSING) & (what != MISSING)
    return Split(train=train, test=part_of(later, ~seen), repeats=part_of(later, seen), how=how)


def _milliseconds(dates: Any) -> npt.NDArray[np.int64]:
    return np.asarray(dates, dtype="datetime64[ms]").astype(np.int64)


def _lacking(before: npt.NDArray[np.bool_]) -> str:
    return "be asked for" if before.all() else "be fitted on"


def temporal(interactions: Interactions, moment: int) -> Split:
    """Hide every pair that was last played at ``moment``, in seconds since 1970, or later.

    A pair that was played both before and after is hidden too: only the sum of its plays is recorded, and in train it
    would tell the answer. Raises InputError for interactions without times.
    """
    if interactions.pairs and not interactions.last_played.any():
        raise InputError("these interactions have no times, so they cannot be divided by time")
    hidden = interactions.last_played >= moment
    how = f"pairs last played from {moment} on hidden"
    return Split(train=part_of(interactions, ~hidden), test=part_of(interactions, hidden), how=how)


def strong_generalisation(interactions: Interactions, users: int, fraction: float, rng: np.random.Generator) -> Split:
    """Hide ``users`` users from train, and of each a ``fraction`` of the items from the model altogether.

    Raises InputError unless there are more users than that, and for a fraction that is not between 0 and 1.
    """
    count = len(interactions.user_ids)
    if not 1 <= users < count:
        raise InputError(f"of {count} users, 1 to {count - 1} can be hidden, not {users}")
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[rng.permutation(count)[:users]] = True
    theirs = np.repeat(chosen, np.diff(interactions.indptr))
    hidden = held_out(interactions, fraction, rng) & theirs
    return Split(
        train=part_of(interactions, ~theirs),
        shown=part_of(interactions, theirs & ~hidden),
        test=part_of(interactions, hidden),
        how=f"{users:,} users hidden, and of each {fraction:.0%} of the items",
    )
