"""Vector spaces, which every model produces, and neighbours, which every search returns."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import ArtifactError, SpaceMismatchError
from crossfade.core.ids import MISSING, Ids, Rows, load_array
from crossfade.core.kinds import KINDS

if TYPE_CHECKING:
    import pyarrow as pa

Metric = Literal["dot", "cosine"]
Vectors = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class VectorSpace:
    """Items, and users if the model has them, as points of one space.

    item_vectors  (items, factors) float32
    user_vectors  (users, factors) float32, or None
    metric        how users and items are compared: "dot" or "cosine" (items with items always by cosine)
    biased        whether the last column of the item vectors is a bias, and that of the user vectors 1; only for "dot".
                  Inner products include the bias, cosines do not
    settings      the settings of the fit, as plain values
    space_id      a digest of all of the above. Vectors of two fits cannot be compared, since any rotation of a space is
                  as good as the space; so whatever is derived from a space has its id
    """

    model: str
    kind: str
    metric: Metric
    item_ids: Ids
    item_vectors: Vectors
    user_ids: Ids | None = None
    user_vectors: Vectors | None = None
    biased: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    space_id: str = ""

    def __post_init__(self) -> None:
        if self.item_vectors.shape[:1] != (len(self.item_ids),) or self.item_vectors.ndim != 2:
            raise ArtifactError(f"{len(self.item_ids)} item ids do not fit vectors of shape {self.item_vectors.shape}.")
        if self.biased and (self.metric != "dot" or self.factors < 2):
            raise ArtifactError('Only a space of metric "dot" with at least two factors can have biases.')
        if (self.user_ids is None) != (self.user_vectors is None):
            raise ArtifactError("A space must have user ids and user vectors, or neither.")
        if (
            self.user_ids is not None
            and self.user_vectors is not None
            and self.user_vectors.shape != (len(self.user_ids), self.factors)
        ):
            raise ArtifactError(f"{len(self.user_ids)} user ids do not fit vectors of shape {self.user_vectors.shape}.")
        if not self.space_id:
            object.__setattr__(self, "space_id", self._digest())

    def __repr__(self) -> str:
        users = "" if self.user_ids is None else f"{len(self.user_ids):,} users, "
        items = f"{len(self.item_ids):,} items"
        return f"VectorSpace({self.model}, {self.kind}: {users}{items}, {self.factors} factors, {self.metric})"

    @property
    def factors(self) -> int:
        """The width of a vector."""
        return int(self.item_vectors.shape[1])

    @property
    def points(self) -> Vectors:
        """(items, width) float32: the item vectors without a bias, to compare items by cosine."""
        return self.item_vectors[:, :-1] if self.biased else self.item_vectors

    def require_same(self, space_id: str, what: str) -> None:
        """Raise SpaceMismatchError unless ``what`` was made from this space."""
        if space_id != self.space_id:
            raise SpaceMismatchError(
                f"{what} belongs to space {space_id[:12]}, not to {self.space_id[:12]}. Build it again from this space."
            )

    def save(self, directory: Path) -> None:
        """Write the vectors, ids and a ``space.json`` into ``directory``."""
        self.item_ids.save(directory / "item_ids")
        np.save(directory / "item_vectors.npy", self.item_vectors, allow_pickle=False)
        if self.user_ids is not None and self.user_vectors is not None:
            self.user_ids.save(directory / "user_ids")
            np.save(directory / "user_vectors.npy", self.user_vectors, allow_pickle=False)
        described = {**self._described(), "space_id": self.space_id, "has_users": self.user_ids is not None}
        (directory / "space.json").write_text(json.dumps(described, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Memory-map what `save` wrote; ArtifactError if a part is missing or does not fit."""
        try:
            described = dict(json.loads((directory / "space.json").read_text(encoding="utf-8")))
            has_users = bool(described.pop("has_users"))
            if described.keys() != {"model", "kind", "metric", "biased", "settings", "space_id"}:
                raise ValueError(f"it describes {sorted(described)}")
            if described["kind"] not in KINDS or described["metric"] not in get_args(Metric):
                raise ValueError(f"its kind is {described['kind']!r} and its metric {described['metric']!r}")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{directory} has no readable vector space: {error}") from error
        return cls(
            **described,
            item_ids=Ids.load(directory / "item_ids"),
            item_vectors=load_array(directory / "item_vectors.npy", dtype=np.float32, ndim=2),
            user_ids=Ids.load(directory / "user_ids") if has_users else None,
            user_vectors=load_array(directory / "user_vectors.npy", dtype=np.float32, ndim=2) if has_users else None,
        )

    def _described(self) -> dict[str, Any]:
        described = {name: getattr(self, name) for name in ("model", "kind", "metric", "biased")}
        return {**described, "settings": dict(self.settings)}

    def _digest(self) -> str:
        digest = hashlib.sha256(json.dumps(self._described(), sort_keys=True).encode())
        for array in (self.item_vectors, self.user_vectors):
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


@dataclass(frozen=True, eq=False, repr=False)
class Neighbours:
    """The best items for each of n queries, best first; equal scores are in ascending order of rows.

    rows    (n, k) int32 item rows; MISSING if there are fewer than k items
    scores  (n, k) float32, exact; -inf for a MISSING row
    """

    rows: Rows
    scores: npt.NDArray[np.float32]

    @classmethod
    def none(cls, queries: int, k: int) -> Self:
        """Lists of ``k`` places without an item."""
        rows = np.full((queries, k), MISSING, dtype=np.int32)
        return cls(rows, np.full((queries, k), -np.inf, dtype=np.float32))

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        return f"Neighbours({len(self):,} queries × {self.rows.shape[1]:,} items)"

    def to_arrow(self, item_ids: Ids, query_ids: Sequence[str] | None = None) -> "pa.Table":
        """Return the columns query, rank (from 1), item and score, a row an item, without padding.

        ``query`` is the id of ``query_ids`` (n,), such as the users that were asked for, or the query's number from 0.
        ``polars.from_arrow`` and ``to_pandas`` of the table make a data frame of it.
        """
        import pyarrow as pa

        queries, places = np.nonzero(self.rows != MISSING)
        chosen = pa.array(np.arange(len(self)) if query_ids is None else list(query_ids))
        columns = {
            "query": chosen.take(pa.array(queries)),
            "rank": (places + 1).astype(np.int32),
            "item": pa.array(item_ids.select(self.rows), pa.string()),
            "score": self.scores[queries, places],
        }
        return pa.table(columns)

    def above(self, score: float) -> Self:
        """The lists without the items whose scores are no higher than ``score``."""
        kept = self.scores > score
        return type(self)(
            np.where(kept, self.rows, np.int32(MISSING)), np.where(kept, self.scores, np.float32(-np.inf))
        )

    def listed(self, query: int, item_ids: Ids) -> list[tuple[str, float]]:
        """Return the (id, score) pairs of one query, best first, without padding."""
        return [
            (item_ids[int(row)], float(score))
            for row, score in zip(self.rows[query], self.scores[query], strict=True)
            if row != MISSING
        ]
