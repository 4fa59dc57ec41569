"""What machines know of a fit by alternating least squares, and its states: the vectors of one side after a half-step.

State 0 has the first vectors of the users, 1 those of the items, and t + 2 those that half-step t has solved:

    FOLDER/states/00007/00003.npy   the vectors of a block
    FOLDER/states/00007/gram.npy    the Gram matrix of all

A state counts once its manifest is there, which has the digest of every file. A run that was killed goes on from the
last two states that are whole, to the same vectors; FOLDER/cuts.json says in which blocks, whatever the cluster is now.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt

from crossfade.cluster.engine import Engine
from crossfade.cluster.grid import Placement
from crossfade.cluster.solving import HalfStep, Scheme, turned_while_fixed
from crossfade.core.arrays import load_array
from crossfade.core.artifacts import Identity, file_digest, replacing_file, write_file
from crossfade.core.interactions import Interactions
from crossfade.core.replacing import flush_directory, make_directory, remove
from crossfade.core.settings import as_table
from crossfade.kernels.als.half_step import Matrix, gram_matrix
from crossfade.kernels.lanes import Floats, aligned, padded
from crossfade.models.als import ALSSettings, FittedALS, digests_of

SIDES = ("users", "items")

KEPT_STATES = 3
"""A half-step reads two; the one before is left should the last turn out to be damaged."""

STATES, MANIFEST, CUTS = "states", "manifest.json", "cuts.json"


class Cut(NamedTuple):
    """How one side is solved: its rows in so many blocks, by a scheme."""

    scheme: Scheme
    blocks: int


Cuts = tuple[Cut, Cut]
"""Those of users and of items."""


class Moved(NamedTuple):
    """Bytes of one half-step: vectors that tasks gathered, and sums of normal equations that they sent on."""

    vectors: int
    sums: int


class Wrote(NamedTuple):
    """A block of a state that is written: the digest of its file, and the Gram matrix of its vectors."""

    digest: str
    gram: Matrix


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every task of a fit is told.

    source       the directory of the interactions, as `Interactions.save` writes it
    settings     with nothing left unset
    placements   of users and items
    cuts         of users and items
    heavy_cells  into how many cells the ratings of heavy rows are cut, of users and of items
    fingerprint  of what blocks are made from
    """

    folder: Path
    source: Path
    kind: str
    settings: ALSSettings
    placements: tuple[Placement, Placement]
    cuts: Cuts
    heavy_cells: tuple[int, int]
    fingerprint: str

    @classmethod
    def of(
        cls,
        folder: Path,
        source: Path,
        settings: ALSSettings,
        interactions: Interactions,
        listeners: npt.NDArray[np.int64],
        cuts: Cuts,
        made_from: str,
    ) -> Self:
        """Place the rows of ``interactions``.

        made_from  as `made_from` says it; the other arguments are those of `crossfade.cluster.als.fit_on`
        """
        pairs = np.diff(interactions.indptr), listeners
        placements = Placement.of(pairs[0], cuts[0].blocks), Placement.of(pairs[1], cuts[1].blocks)
        heavy = [
            -(-int(pairs[side][placement.heavy].sum()) * placement.blocks // interactions.pairs)
            for side, placement in enumerate(placements)
        ]
        identity = Identity(
            kind="als-in-blocks",
            version=1,
            inputs={"fit": made_from},
            settings={"cuts": [list(cut) for cut in cuts]},
        )
        return cls(
            folder=folder,
            source=source,
            kind=interactions.kind,
            settings=settings,
            placements=placements,
            cuts=cuts,
            heavy_cells=(heavy[0], heavy[1]),
            fingerprint=identity.fingerprint,
        )

    def blocks(self, side: int) -> range:
        """The numbers of the blocks of a side, with that of heavy rows if there are any."""
        placement = self.placements[side]
        return range(placement.blocks + bool(len(placement.heavy)))

    def cells(self, side: int, block: int) -> int | None:
        """Into how many cells the ratings of a block are cut; None for one for each block of the other side."""
        cut = self.cuts[side]
        if block == cut.blocks:
            return self.heavy_cells[side]
        return 1 if cut.scheme == "half" else None

    def sent(self, side: int) -> list[tuple[int, int]]:
        """The cells, as block and number, whose sums are sent to the task that adds them up."""
        others = self.cuts[1 - side].blocks + 1
        whole = self.cuts[side].blocks if self.cuts[side].scheme != "full" else 0
        counts = [(block, self.cells(side, block) or others) for block in self.blocks(side) if block >= whole]
        return [(block, cell) for block, cells in counts for cell in range(cells)]

    def at_once(self, side: int) -> int:
        """How many blocks, from the first on, are solved by the task that reads their ratings."""
        return 0 if self.cuts[side].scheme == "full" else self.cuts[side].blocks

    def state(self, number: int) -> Path:
        """Where a state is."""
        return self.folder / STATES / f"{number:05}"

    def vectors(self, state: int, block: int) -> npt.NDArray[np.float32]:
        """The vectors (n, columns) of a block in a state, memory-mapped."""
        return load_array(self.state(state) / f"{block:05}.npy", dtype=np.float32, ndim=2)

    def laid_out(self, vectors: npt.NDArray[np.float32]) -> Floats:
        """A copy of vectors (n, columns), padded to whole lanes."""
        wide = aligned(len(vectors), padded(self.settings.columns))
        wide[:, : self.settings.columns] = vectors
        return wide

    def gram(self, state: int) -> Matrix:
        """The Gram matrix of a state, (width, width)."""
        return load_array(self.state(state) / "gram.npy", dtype=np.float64, ndim=2)

    def half_step(self, turn: "Turn") -> HalfStep:
        """What all blocks of a half-step have in common."""
        was_fixed = turn.turn > 0 and turned_while_fixed(self.settings)
        return HalfStep(
            settings=self.settings,
            side=turn.side,
            gram=self.gram(turn.fixed),
            others=self.placements[1 - turn.side].rows,
            turned=self.gram(turn.own) if was_fixed else None,
            exact=turn.exact,
        )


@dataclass(frozen=True)
class Turn:
    """Half-step number ``turn``; the one after the last is ``exact`` and solves users once more."""

    turn: int
    exact: bool = False

    @property
    def side(self) -> int:
        """The side that is solved."""
        return self.turn % 2

    @property
    def fixed(self) -> int:
        """The state of the side held fixed."""
        return self.turn + 1

    @property
    def own(self) -> int:
        """The state of the old vectors."""
        return self.turn

    @property
    def made(self) -> int:
        """The state of the new vectors."""
        return self.turn + 2


def made_from(settings: ALSSettings, interactions: Interactions, start: FittedALS | None) -> str:
    """Return the fingerprint of all that the vectors of a fit are made from, wherever and in whatever blocks."""
    inputs = {**digests_of(interactions), **({} if start is None else {"start": start.space.space_id})}
    return Identity(kind="als-on-cluster", version=1, inputs=inputs, settings=as_table(settings)).fingerprint


def cuts_begun(folder: Path, fit: str) -> Cuts | None:
    """Return how the sides are cut of the fit ``fit`` that began in ``folder``; None if none did."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        begun = json.loads((folder / CUTS).read_text(encoding="utf-8"))
        if begun["made from"] == fit:
            users, items = (Cut(scheme, int(blocks)) for scheme, blocks in begun["cuts"])
            return users, items
    return None


def begin(folder: Path, fit: str, cuts: Cuts) -> None:
    """Note how the sides are cut, for a run that goes on from the states, perhaps on other machines."""
    write_file(folder / CUTS, json.dumps({"made from": fit, "cuts": cuts}).encode())


def in_pieces(interactions: Interactions, pieces: int) -> list[int]:
    """The first user of each of so many pieces with about as many ratings each, and the one after the last user."""
    goals = np.arange(1, pieces) * (interactions.pairs / pieces)
    return [0, *np.searchsorted(interactions.indptr, goals).tolist(), len(interactions.user_ids)]


class Exchange(Protocol):
    """How ratings come to their blocks, and vectors to the blocks that need them."""

    @property
    def near(self) -> Engine:
        """What sees the folder of the states."""

    def place(self, interactions: Interactions) -> None:
        """Deal out the ratings to blocks, if they are not: the only time that they move."""

    def half_step(self, turn: Turn) -> Moved:
        """Carry out a half-step, and return the bytes that moved. Its state is whole when this returns."""

    def end(self) -> None:
        """Let go of what machines hold; the states stay."""


def write_array(path: Path, array: npt.NDArray[Any], *, lasting: bool = True) -> str:
    """Write an array beside ``path``, rename it, and return its digest; what is ``lasting`` survives a power loss."""
    with replacing_file(path, lasting=lasting) as file:
        np.save(file, array, allow_pickle=False)
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest() if lasting else ""


def write_block(work: Work, state: int, block: int, vectors: Floats) -> Wrote:
    """Write the vectors (n, width) of a block, which are changed where heavy rows have left their places."""
    # They have no ratings, but biases would fill them.
    vectors[work.placements[state % 2].empty(block)] = 0.0
    digest = write_array(work.state(state) / f"{block:05}.npy", vectors[:, : work.settings.columns])
    return Wrote(digest, gram_matrix(vectors, 1))


def complete_state(work: Work, state: int, wrote: Sequence[Wrote]) -> None:
    """Make a state count: write what all its blocks add up to, and then its manifest."""
    place = work.state(state)
    gram = write_array(place / "gram.npy", np.sum([one.gram for one in wrote], axis=0))
    blocks = {f"{block:05}.npy": one.digest for block, one in zip(work.blocks(state % 2), wrote, strict=True)}
    write_manifest(work, place, {"gram.npy": gram, **blocks})


def write_state(work: Work, state: int, vectors: Floats) -> None:
    """Write ``vectors`` (rows, width) of all users, or items, as a state that tasks read."""
    remove(work.state(state))
    make_directory(work.state(state))
    rows_of = work.placements[state % 2].rows_of
    wrote = [write_block(work, state, block, vectors[rows_of(block)]) for block in work.blocks(state % 2)]
    complete_state(work, state, wrote)


def read_state(work: Work, state: int, vectors: Floats) -> None:
    """Fill ``vectors`` (rows, width) from a state."""
    placement = work.placements[state % 2]
    # The heavy rows come last, after the blocks that have empty places for them.
    for block in work.blocks(state % 2):
        vectors[placement.rows_of(block), : work.settings.columns] = work.vectors(state, block)


def last_whole(work: Work, engine: Engine) -> int | None:
    """Return the last state of this very work that is whole and has a whole one before it; None if there is none."""
    places = (work.folder / STATES).glob(f"*/{MANIFEST}")
    states = sorted((int(place.parent.name) for place in places), reverse=True)
    whole = [state for state in states if _is_whole(work, engine, state)]
    return next((state for state in whole if state - 1 in whole), None)


def _is_whole(work: Work, engine: Engine, state: int) -> bool:
    place = work.state(state)
    return verified(work, engine, place, ["gram.npy", *(f"{block:05}.npy" for block in work.blocks(state % 2))])


def verified(work: Work, engine: Engine, place: Path, names: Sequence[str]) -> bool:
    """Return whether ``place`` has a manifest of this very work, and the files that it says."""
    with suppress(OSError, ValueError):
        content = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        found = engine.each(partial(_digest_at, place, names), len(names))
        return bool(content == _manifest(work, dict(zip(names, found, strict=True))))
    return False


def _manifest(work: Work, digests: Mapping[str, str]) -> dict[str, Any]:
    return {"made from": work.fingerprint, "files": digests}


def write_manifest(work: Work, place: Path, digests: Mapping[str, str]) -> None:
    flush_directory(place)
    write_file(place / MANIFEST, json.dumps(_manifest(work, digests), indent=2).encode())


def _digest_at(place: Path, names: Sequence[str], task: int) -> str:
    try:
        return file_digest(place / names[task])
    except OSError as error:
        return str(error)
