"""A long-tailed users × items matrix to time models on, of any size: what is held in memory is a block of its pairs.

    python -m benchmarks.generate --directory DIR --users 4000000 --items 500000 --pairs 390000000

Degrees of users are log-normal, popularity of items falls as a power of the rank, and three of four plays
stay within the listener's own taste group, so that there is something to learn. Rows are in random order: no
kernel gains from popular items that stand side by side, or loses by them. Every user draws from a stream of its own,
so that neither blocks nor threads change the matrix.

An item is drawn in constant time: a random place in a table holds either its own item or another, its alias (Walker,
"An efficient method for generating discrete random variables with general distributions", ACM TOMS 1977).
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.processes import peak_gib
from crossfade.core.arrays import GrowingArray
from crossfade.core.artifacts import Identity, is_whole, writing
from crossfade.core.csr import starts_of
from crossfade.core.ids import Ids
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.kernels.compile import jit
from crossfade.kernels.threads import balanced, each, processors

GROUPS = 40
AT_HOME = 192  # of 256 draws stay within the listener's own group
BLOCK = 1 << 23  # pairs that are drawn before they are written
PATIENCE = 64  # draws in a row of what a user has already, after which the next item that they have not is taken

GOLDEN, FIRST_MIX, SECOND_MIX = (
    np.uint64(0x9E3779B97F4A7C15),
    np.uint64(0xBF58476D1CE4E5B9),
    np.uint64(0x94D049BB133111EB),
)

Floats, Ints, Starts = npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a matrix is, and the seed that it is a pure function of."""

    users: int
    items: int
    pairs: int
    seed: int = 0

    def __post_init__(self) -> None:
        if self.pairs * 2 > self.users * self.items:
            raise ValueError(f"{self.pairs} pairs would fill over half of {self.users} × {self.items}")


class Tables(NamedTuple):
    """What items are drawn from.

    tastes   (users,) the group of each user
    genres   (items,) the group of each item
    accept, alias                  (items,) of all items
    members, of_group              (items,) the items of each group, and (groups + 1,) where they begin
    group_accept, group_alias      (items,) the tables of each group, one behind the other
    """

    tastes: npt.NDArray[np.uint8]
    genres: npt.NDArray[np.uint8]
    accept: Floats
    alias: Ints
    members: Ints
    of_group: Starts
    group_accept: Floats
    group_alias: Ints


def long_tailed(users: int, items: int, pairs: int, seed: int = 0) -> Interactions:
    """``pairs`` distinct (user, item) pairs with geometric counts of plays; a pure function of its arguments.

    A user has at least one pair where ``pairs`` allows. Raises ValueError if over half the matrix is asked for.
    """
    size = Size(users=users, items=items, pairs=pairs, seed=seed)
    indptr, tables = _planned(size)
    indices, plays = _drawn(size, indptr, tables, 0, users, processors())
    return Interactions(
        kind="artist",
        user_ids=_numbered("user", users),
        item_ids=_numbered("item", items),
        indptr=indptr,
        indices=indices,
        weights=plays.astype(np.float32),
        plays=plays,
        last_played=np.zeros(pairs, dtype=np.uint32),
    )


def written(directory: Path, size: Size, progress: Progress = silent) -> tuple[Path, bool]:
    """The directory of the same matrix on disk, for `Interactions.load`, and whether it was made just now.

    ``tastes.npy`` and ``genres.npy`` beside it say which group each user and item is of.
    """
    identity = Identity(kind="benchmark-interactions", version=1, settings=asdict(size))
    place = directory / f"{size.users}x{size.items}x{size.pairs}"
    if is_whole(place, identity.fingerprint):
        return place, False
    indptr, tables = _planned(size)
    with writing(place, identity) as draft:
        _numbered("user", size.users).save(draft.path / "user_ids")
        _numbered("item", size.items).save(draft.path / "item_ids")
        np.save(draft.path / "indptr.npy", indptr)
        np.save(draft.path / "tastes.npy", tables.tastes)
        np.save(draft.path / "genres.npy", tables.genres)
        with (
            GrowingArray(draft.path / "indices.npy", np.int32) as indices,
            GrowingArray(draft.path / "weights.npy", np.float32) as weights,
            GrowingArray(draft.path / "plays.npy", np.int32) as plays,
            GrowingArray(draft.path / "last_played.npy", np.uint32) as last_played,
        ):
            for first, last in _blocks(indptr):
                items, counts = _drawn(size, indptr, tables, first, last, processors())
                indices.append(items)
                weights.append(counts.astype(np.float32))
                plays.append(counts)
                last_played.append(np.zeros(len(counts), dtype=np.uint32))
                progress(float(indptr[last]), size.pairs, "pairs")
    return place, True


def _planned(size: Size) -> tuple[Starts, Tables]:
    """How many pairs each user has, as indptr (users + 1,), and what they are drawn from."""
    rng = np.random.default_rng(size.seed)
    appetite = rng.lognormal(0.0, 1.0, size.users)
    popularity = (np.arange(size.items) + 1 + size.items * 0.0002) ** -0.95
    rng.shuffle(popularity)
    tastes = rng.integers(GROUPS, size=size.users, dtype=np.uint8)
    genres = rng.integers(GROUPS, size=size.items, dtype=np.uint8)
    # A group without items would have nothing to draw from.
    genres[: min(GROUPS, size.items)] = np.arange(min(GROUPS, size.items))
    tastes %= min(GROUPS, size.items)
    accept, alias = _alias_table(popularity)
    members = np.argsort(genres, kind="stable").astype(np.int32)
    of_group = starts_of(np.bincount(genres, minlength=GROUPS))
    group_accept, group_alias = np.empty(size.items, dtype=np.float32), np.empty(size.items, dtype=np.int32)
    for group in range(GROUPS):
        span = slice(of_group[group], of_group[group + 1])
        group_accept[span], group_alias[span] = _alias_table(popularity[members[span]])
    tables = Tables(tastes, genres, accept, alias, members, of_group, group_accept, group_alias)
    return starts_of(_degrees(appetite, size)), tables


def _degrees(appetite: npt.NDArray[np.float64], size: Size) -> Starts:
    """(users,) how many pairs each user has: as the appetites say, at least one, at most half of the items."""
    if size.pairs <= size.users:
        return np.repeat([1, 0], [size.pairs, size.users - size.pairs])
    most = -(-size.items // 2)
    wanted = np.ones(size.users)
    free = np.ones(size.users, dtype=np.bool_)
    while free.any():
        left = size.pairs - size.users - (wanted[~free] - 1).sum()
        wanted[free] = 1 + left * appetite[free] / appetite[free].sum()
        over = free & (wanted > most)
        if not over.any():
            break
        wanted[over] = most
        free &= ~over
    ends = np.floor(np.cumsum(wanted)).astype(np.int64)
    ends[-1] = size.pairs
    return np.diff(ends, prepend=0)


def _alias_table(weights: npt.NDArray[np.float64]) -> tuple[Floats, Ints]:
    """For each place the chance that it stands for itself, and what it stands for otherwise."""
    shares = weights * (len(weights) / weights.sum()) if len(weights) else weights.copy()
    alias = np.arange(len(weights), dtype=np.int32)
    _fill_alias_table(shares, alias)
    return shares.astype(np.float32), alias


@jit
def _fill_alias_table(shares: npt.NDArray[np.float64], alias: Ints) -> None:
    small, large = np.empty(len(shares), dtype=np.int32), np.empty(len(shares), dtype=np.int32)
    smalls = larges = 0
    for place in range(len(shares)):
        if shares[place] < 1.0:
            small[smalls] = place
            smalls += 1
        else:
            large[larges] = place
            larges += 1
    while smalls and larges:
        smalls -= 1
        short, rich = small[smalls], large[larges - 1]
        alias[short] = rich
        shares[rich] -= 1.0 - shares[short]
        if shares[rich] < 1.0:
            larges -= 1
            small[smalls] = rich
            smalls += 1
    # What is left is 1 but for rounding.
    for place in range(smalls):
        shares[small[place]] = 1.0


def _blocks(indptr: Starts) -> Iterator[tuple[int, int]]:
    """Ranges of users that have about `BLOCK` pairs together."""
    first = 0
    while first < len(indptr) - 1:
        last = int(np.searchsorted(indptr, indptr[first] + BLOCK, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last


def _drawn(size: Size, indptr: Starts, tables: Tables, first: int, last: int, threads: int) -> tuple[Ints, Ints]:
    """The items of the users ``first`` to ``last``, ascending within a user, and how often they were played."""
    starts = indptr[first : last + 1] - indptr[first]
    indices, plays = np.empty(starts[-1], dtype=np.int32), np.empty(starts[-1], dtype=np.int32)

    def draw(piece: tuple[int, int]) -> None:
        _draw(piece[0], piece[1], first, np.uint64(size.seed), starts, tables, indices, plays)

    each(draw, balanced(starts, 1), threads)
    return indices, plays


@jit(inline=True)
def _next(state: np.uint64) -> np.uint64:
    return state + GOLDEN


@jit(inline=True)
def _mixed(state: np.uint64) -> np.uint64:
    """64 random bits of a state that grows by `GOLDEN` (SplitMix64)."""
    state = (state ^ (state >> np.uint64(30))) * FIRST_MIX
    state = (state ^ (state >> np.uint64(27))) * SECOND_MIX
    return state ^ (state >> np.uint64(31))


@jit
def _draw(
    first: int, last: int, offset: int, seed: np.uint64, starts: Starts, tables: Tables, indices: Ints, plays: Ints
) -> None:
    items = len(tables.accept)
    owner = np.full(items, -1, dtype=np.int32)
    for user in range(first, last):
        begin, end = starts[user], starts[user + 1]
        group = tables.tastes[offset + user]
        home = tables.of_group[group]
        room = tables.of_group[group + 1] - home
        state = _mixed(_mixed(np.uint64(offset + user) + seed * GOLDEN) + GOLDEN)
        free, in_vain = begin, 0
        while free < end:
            state = _next(state)
            bits = _mixed(state)
            high, chance = bits >> np.uint64(32), np.float32((bits >> np.uint64(8)) & np.uint64(0xFFFFFF))
            chance *= np.float32(2.0**-24)
            if (bits & np.uint64(0xFF)) < np.uint64(AT_HOME):
                place = home + np.int64((high * np.uint64(room)) >> np.uint64(32))
                if chance >= tables.group_accept[place]:
                    place = home + tables.group_alias[place]
                item = tables.members[place]
            else:
                item = np.int32((high * np.uint64(items)) >> np.uint64(32))
                if chance >= tables.accept[item]:
                    item = tables.alias[item]
            if owner[item] == user:
                in_vain += 1
                if in_vain < PATIENCE:
                    continue
                while owner[item] == user:
                    item = np.int32((item + 1) % items)
            in_vain = 0
            owner[item] = user
            indices[free] = item
            free += 1
        indices[begin:end].sort()
        for pair in range(begin, end):
            state = _next(state)
            left, count, threshold = np.float64(_mixed(state) >> np.uint64(11)) * 2.0**-53, 1, 0.7
            while left < threshold:
                count += 1
                threshold *= 0.7
            plays[pair] = count


def _numbered(what: str, count: int) -> Ids:
    """``what-000``, ``what-001``, …: as wide as the last needs."""
    digits = len(str(max(count - 1, 0)))
    stem = np.frombuffer(f"{what}-".encode(), dtype=np.uint8)
    names = np.empty((count, len(stem) + digits), dtype=np.uint8)
    names[:, : len(stem)] = stem
    for digit in range(digits):
        names[:, -1 - digit] = ord("0") + np.arange(count) // 10**digit % 10
    return Ids(names.reshape(-1), np.arange(count + 1, dtype=np.int64) * names.shape[1])


def main() -> None:
    """Write a matrix, and say how long that took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, required=True)
    for name, default in (("users", 400_000), ("items", 50_000), ("pairs", 39_000_000), ("seed", 0)):
        parser.add_argument(f"--{name}", type=int, default=default)
    chosen = parser.parse_args()
    size = Size(users=chosen.users, items=chosen.items, pairs=chosen.pairs, seed=chosen.seed)
    started = time.perf_counter()
    place, _ = written(chosen.directory, size)
    print(f"{place}: {time.perf_counter() - started:.1f} s, at most {peak_gib():.2f} GiB")


if __name__ == "__main__":
    main()
