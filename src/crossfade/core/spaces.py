"""Vector spaces, which every model produces, and neighbours, which every search returns."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from crossfade.core.columns import frame_of
from crossfade.core.csr import check_indices
from crossfade.core.errors import ArtifactError, InputError, SpaceMismatchError
from crossfade.core.ids import MISSING, Id, Ids, Rows, listed_ids, load_array
from crossfade.core.kinds import KINDS, kind_named

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

    Vectors of other number types and byte orders are converted. Raises InputError for vectors and ids that do not fit,
    and for numbers that are not finite.
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
        kind_named(self.kind)
        if self.metric not in get_args(Metric):
            raise InputError(f"the metric of a space is one of {', '.join(get_args(Metric))}, not {self.metric!r}")
        self._check_side("item", self.item_ids, self.item_vectors)
        if (self.user_ids is None) != (self.user_vectors is None):
            raise InputError("a space must have user ids and user vectors, or neither")
        if self.user_ids is not None:
            width = self._check_side("user", self.user_ids, self.user_vectors)
            if width != self.factors:
                raise InputError(f"users of {width} factors do not fit items of {self.factors}")
        if self.biased and (self.metric != "dot" or self.factors < 2):
            raise InputError('only a space of metric "dot" with at least two factors can have biases')
        if not self.space_id:
            # What has an id already was checked when it was made, and is not read again.
            for side, vectors in (("item", self.item_vectors), ("user", self.user_vectors)):
                if vectors is not None and not all(np.isfinite(part).all() for part in _blocks(vectors)):
                    raise InputError(
                        f"{self.model} has {side} vectors that are not finite numbers. After a fit, that means that "
                        "its settings or weights are too extreme."
                    )
            object.__setattr__(self, "space_id", self._digest())

    def _check_side(self, side: str, ids: Ids, vectors: object) -> int:
        """Convert the vectors of items or users and return their width; InputError unless each of ``ids`` has one."""
        if not isinstance(ids, Ids):
            raise InputError(f"{side}_ids must be made by `Ids.of`, which sorts them, not a {type(ids).__name__}")
        numbers = np.asanyarray(vectors)
        if numbers.ndim != 2 or len(numbers) != len(ids) or numbers.dtype.kind not in "biuf":
            raise InputError(f"{len(ids)} {side} ids do not fit vectors of shape {numbers.shape} and {numbers.dtype}")
        with np.errstate(over="ignore"):  # refused as infinite
            object.__setattr__(self, f"{side}_vectors", np.asanyarray(numbers, dtype=np.float32))
        return int(numbers.shape[1])

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
        parts: dict[str, Any] = {}
        for side in ("item", "user") if has_users else ("item",):
            parts[f"{side}_ids"] = Ids.load(directory / f"{side}_ids")
            parts[f"{side}_vectors"] = load_array(directory / f"{side}_vectors.npy", dtype=np.float32, ndim=2)
        try:
            return cls(**described, **parts)
        except InputError as error:
            raise ArtifactError(f"{directory}: {error}. Run `crossfade verify`.") from error

    def _described(self) -> dict[str, Any]:
        described = {name: getattr(self, name) for name in ("model", "kind", "metric", "biased")}
        return {**described, "settings": dict(self.settings)}

    def _digest(self) -> str:
        digest = hashlib.sha256(json.dumps(self._described(), sort_keys=True).encode())
        for array in (self.item_vectors, self.user_vectors):
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def _blocks(vectors: Vectors) -> Iterator[Vectors]:
    return (vectors[first : first + _BLOCK] for first in range(0, len(vectors), _BLOCK))


_BLOCK = 1 << 16  # vectors that are checked at a time, to bound the memory of intermediate arrays


@dataclass(frozen=True, eq=False, repr=False)
class Neighbours:
    """The best items for each of n queries, best first; equal scores are in ascending order of rows.

    rows       (n, k) int32 item rows; MISSING if there are fewer than k items
    scores     (n, k) float32, exact; -inf for a MISSING row
    item_ids   the ids of the items, where they are known: models give them, an index does not
    query_ids  (n,) what was asked for, as it was given; None for the numbers of the queries from 0
    """

    rows: Rows
    scores: npt.NDArray[np.float32]
    item_ids: Ids | None = None
    query_ids: Sequence[Id] | None = None

    def __post_init__(self) -> None:
        """Raise InputError for arrays that do not fit each other."""
        rows, scores = np.asanyarray(self.rows), np.asanyarray(self.scores)
        kinds = rows.dtype.kind in "iu" and scores.dtype.kind in "iuf"
        if rows.ndim != 2 or rows.shape != scores.shape or not kinds:
            raise InputError(
                f"rows of shape {rows.shape} and {rows.dtype} do not fit scores of {scores.shape} and {scores.dtype}"
            )
        object.__setattr__(self, "rows", np.asanyarray(rows, dtype=np.int32))
        object.__setattr__(self, "scores", np.asanyarray(scores, dtype=np.float32))
        if self.query_ids is not None and len(self.query_ids) != len(rows):
            raise InputError(f"{len(self.query_ids)} query ids do not fit {len(rows)} queries")

    @classmethod
    def none(cls, queries: int, k: int) -> Self:
        """Lists of ``k`` places without an item."""
        rows = np.full((queries, k), MISSING, dtype=np.int32)
        return cls(rows, np.full((queries, k), -np.inf, dtype=np.float32))

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        lines = [f"Neighbours({len(self):,} queries × {self.rows.shape[1]:,} items)"]
        if self.item_ids is not None:
            for query in range(min(len(self), _SHOWN)):
                best = [f"{item} ({score:.3g})" for item, score in self.listed(query)]
                asked = query if self.query_ids is None else self.query_ids[query]
                lines.append(f"  {asked}: {', '.join(best[:_SHOWN]) or 'nothing'}" + ", …" * (len(best) > _SHOWN))
            lines += ["  …"] * (len(self) > _SHOWN)
        return "\n".join(lines)

    def to_arrow(self, item_ids: Ids | None = None, query_ids: Iterable[Id] | None = None) -> "pa.Table":
        """Return the columns query, rank (from 1), item and score, a row an item, without padding.

        item_ids   ids of the items, in place of its own; they are as they were given, text or int64
        query_ids  (n,) what was asked for, in place of its own

        Raises InputError for ids that do not fit.
        """
        import pyarrow as pa

        ids, asked = self._ids(item_ids), self.query_ids if query_ids is None else listed_ids(query_ids)
        if asked is not None and len(asked) != len(self):
            raise InputError(f"{len(asked)} query ids do not fit {len(self)} queries")
        queries, places = np.nonzero(self.rows != MISSING)
        if isinstance(asked, Ids):
            named = asked.as_given(queries)
        else:
            named = pa.array(np.arange(len(self)) if asked is None else list(asked)).take(pa.array(queries))
        columns = {
            "query": named,
            "rank": (places + 1).astype(np.int32),
            "item": ids.as_given(self.rows[queries, places]),
            "score": self.scores[queries, places],
        }
        return pa.table(columns)

    def to_pandas(self) -> Any:
        """Return `to_arrow` as a pandas data frame; MissingExtraError without pandas."""
        return frame_of(self.to_arrow(), "pandas")

    def to_polars(self) -> Any:
        """Return `to_arrow` as a polars data frame; MissingExtraError without polars."""
        return frame_of(self.to_arrow(), "polars")

    def above(self, score: float) -> Self:
        """The lists without the items whose scores are no higher than ``score``."""
        kept = self.scores > score
        rows, scores = np.where(kept, self.rows, MISSING), np.where(kept, self.scores, np.float32(-np.inf))
        return replace(self, rows=rows, scores=scores)

    def listed(self, query: int, item_ids: Ids | None = None) -> list[tuple[Any, float]]:
        """Return the (id, score) pairs of one query, best first, without padding; ``item_ids`` as for `to_arrow`."""
        kept = self.rows[query] != MISSING
        items = self._ids(item_ids).as_given(self.rows[query][kept]).to_pylist()
        return list(zip(items, self.scores[query][kept].tolist(), strict=True))

    def named(self, item_ids: Ids, query_ids: Sequence[Id]) -> Self:
        """The same lists with the ids of their items and of what was asked for."""
        return replace(self, item_ids=item_ids, query_ids=query_ids)

    def _ids(self, item_ids: Ids | None) -> Ids:
        ids = self.item_ids if item_ids is None else item_ids
        if not isinstance(ids, Ids):
            raise InputError("these lists have row numbers only; hand in the `item_ids` of the model or space")
        check_indices(self.rows[self.rows != MISSING], len(ids))
        return ids


_SHOWN = 3  # queries, and items of each, that are printed
