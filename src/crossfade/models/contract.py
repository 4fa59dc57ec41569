"""What a model is: it learns from one kind of input and gives a space that can recommend.

A model is one file in this room and one line in `crossfade.models.registry`.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from crossfade.core.errors import InputError, NotReadyError, SettingsError
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.rows import gathered, starts_of
from crossfade.core.spaces import Metric, Neighbours, Vectors, VectorSpace
from crossfade.nearest.contract import Index, Restriction

InputKind = Literal["interactions", "sequences", "texts"]
"""What a model learns from: who played what how often, what followed what, what was written about what."""

Learned = TypeVar("Learned", contravariant=True)
Chosen = TypeVar("Chosen")


class FittedSpace(VectorSpace):
    """A vector space that answers for itself: recommendations for its users, items similar to its items.

    Scores are exact. Searches are exact too, unless an index of this space is handed in; the first one lays out the
    item vectors for searching, in as much memory again.
    """

    compares_items: ClassVar[bool] = True
    """Whether it knows how alike two items are."""

    def recommend(
        self,
        user_ids: Sequence[str],
        k: int,
        *,
        exclude: Interactions | None = None,
        exclude_items: Sequence[str] = (),
        allowed_items: Sequence[str] | None = None,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` best items for each of the ``user_ids`` by the space's metric.

        exclude        what these users have there is not given again; users it does not know lose nothing
        exclude_items  given to nobody; ids that are not in the space exclude nothing
        allowed_items  only these are given; ids that are not in the space allow nothing
        index          of this space and its metric, to search instead of all items
        threads        processors to use, None for all; the answer does not depend on it

        Raises UnknownIdError for a user that the space does not know, NotReadyError for a space without users.
        """
        known, vectors = self._users()
        return self.recommend_vectors(
            vectors[known.rows(user_ids)],
            k,
            user_ids=user_ids,
            exclude=exclude,
            exclude_items=exclude_items,
            allowed_items=allowed_items,
            index=index,
            threads=threads,
        )

    def recommend_vectors(
        self,
        vectors: Vectors,
        k: int,
        *,
        user_ids: Sequence[str] = (),
        exclude: Interactions | None = None,
        exclude_items: Sequence[str] = (),
        allowed_items: Sequence[str] | None = None,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """`recommend` for ``vectors`` (n, factors) float32 of this space, such as folded-in users.

        ``user_ids`` names the n users in ``exclude``; it is needed only together with ``exclude``.
        """
        indptr, indices = None, np.zeros(0, dtype=np.int32)
        if exclude is not None:
            if len(user_ids) != len(vectors):
                raise InputError(f"{len(user_ids)} user ids do not fit {len(vectors)} vectors to exclude items for")
            indptr, indices = self._excluded(exclude, user_ids)
        restriction = Restriction(
            indptr=indptr,
            indices=indices,
            barred=self._known_rows(exclude_items),
            allowed=None if allowed_items is None else self._known_rows(allowed_items),
        )
        return self._index(self.metric, index).search(vectors, k, restriction, threads=threads)

    def with_users(self, interactions: Interactions) -> Self:
        """The same items by cosine, with each user of ``interactions`` amid what they played.

        A user's vector is Σ ln(1 + w) · y/‖y‖ over the items they played, w being the weight, at length 1: the taste
        that a model can tell which learned nothing of users. Raises InputError for interactions with other items.
        """
        if interactions.item_ids != self.item_ids or interactions.kind != self.kind:
            raise InputError("these interactions are about other items than this space")
        from crossfade.kernels.topk import unit_vectors

        weights = interactions.matrix()
        weights.data = np.log1p(weights.data)
        users = np.ascontiguousarray(weights @ unit_vectors(np.ascontiguousarray(self.points)), dtype=np.float32)
        return replace(
            self,
            metric="cosine",
            biased=False,
            item_vectors=np.ascontiguousarray(self.points),
            user_ids=interactions.user_ids,
            user_vectors=unit_vectors(users),
            space_id="",
        )

    def scores(self, users: Rows) -> npt.NDArray[np.float32]:
        """(n, items) what each of the n ``users``, by row, is held to think of every item, played ones included.

        For measuring: as dense as it looks. Raises NotReadyError for a space without users.
        """
        _, vectors = self._users()
        vectors, items = vectors[users], self.item_vectors
        if self.metric == "cosine":
            from crossfade.kernels.topk import unit_vectors

            vectors, items = unit_vectors(vectors), unit_vectors(items)
        found: npt.NDArray[np.float32] = vectors @ items.T
        return found

    def similar(
        self,
        item_ids: Sequence[str],
        k: int,
        *,
        exclude_items: Sequence[str] = (),
        allowed_items: Sequence[str] | None = None,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` items nearest to each of the ``item_ids`` by cosine, never the item itself.

        The other arguments are those of `recommend`, but ``index`` is by cosine. Raises UnknownIdError for an
        item that the space does not know.
        """
        rows = self.item_ids.rows(item_ids)
        restriction = Restriction(
            indptr=np.arange(len(rows) + 1, dtype=np.int64),
            indices=rows,
            barred=self._known_rows(exclude_items),
            allowed=None if allowed_items is None else self._known_rows(allowed_items),
        )
        return self._index("cosine", index).search(self.points[rows], k, restriction, threads=threads)

    def _users(self) -> tuple[Ids, Vectors]:
        if self.user_ids is None or self.user_vectors is None:
            raise NotReadyError(
                f"The space of {self.model!r} has items only, so it knows no users. Fold them in, or ask with "
                "recommend_vectors()."
            )
        return self.user_ids, self.user_vectors

    def _index(self, metric: Metric, index: Index | None) -> Index:
        if index is None:
            return self._exact_by_dot if metric == "dot" else self._exact_by_cosine
        self.require_same(index.space_id, "This index")
        if index.metric != metric:
            raise InputError(f"this search is by {metric}, the index by {index.metric}")
        return index

    # Kept, because laying out the vectors for search costs as much as some hundred queries.
    @cached_property
    def _exact_by_dot(self) -> Index:
        from crossfade.nearest.exact import ExactIndex

        return ExactIndex.build(self, "dot")

    @cached_property
    def _exact_by_cosine(self) -> Index:
        from crossfade.nearest.exact import ExactIndex

        return ExactIndex.build(self, "cosine")

    def _known_rows(self, names: Sequence[str]) -> Rows:
        rows = self.item_ids.rows(names, missing="mark")
        return np.unique(rows[rows != MISSING])

    def _excluded(self, exclude: Interactions, user_ids: Sequence[str]) -> tuple[np.ndarray, Rows]:
        """What each user has in ``exclude`` as (indptr, indices) of this space's rows."""
        if exclude.kind != self.kind:
            raise InputError(f"the interactions to exclude are about {exclude.kind}s, this space about {self.kind}s")
        indptr, places = gathered(exclude.indptr, exclude.user_ids.rows(user_ids, missing="mark"))
        indices = exclude.indices[places]
        if exclude.item_ids != self.item_ids:
            indices = self.item_ids.rows(list(exclude.item_ids), missing="mark")[indices]
        known = indices != MISSING
        return starts_of(known)[indptr], indices[known]


class Model(Protocol[Learned]):
    """A way to learn a space. A class that is made from its settings, keeps to them, and can fit many times."""

    name: ClassVar[str]
    """The name it is registered under, and the ``model`` of its spaces."""

    learns_from: ClassVar[InputKind]

    settings_class: ClassVar[type[Any]]
    """The frozen dataclass of its settings, the seed among them."""

    space_class: ClassVar[type[FittedSpace]]
    """The class of its spaces, so that a saved one can be loaded with all it can do."""

    def __init__(self, settings: Any = None, /, **fields: Any) -> None:
        """Made from an object of its settings class (None: the defaults), or from that class's fields by name."""

    def fit(self, learned: Learned, /, *, threads: int | None = None, progress: Progress = silent) -> FittedSpace:
        """The space learned from one input (`Interactions` for models that learn from interactions).

        Equal inputs and settings give equal bytes, whatever the number of ``threads`` (None: one a processor).
        """


class Configured(Generic[Chosen]):
    """A model's settings, from an object of its settings class or from that class's fields by name."""

    settings_class: ClassVar[type[Any]]

    def __init__(self, settings: Chosen | None = None, **fields: Any) -> None:
        """Made from ``settings``, or from its fields as keywords; SettingsError if they cannot work."""
        model = type(self).__name__
        if settings is not None and fields:
            raise SettingsError(f"{model} is made from settings or from keywords, not from both")
        try:
            self.settings: Chosen = settings if settings is not None else self.settings_class(**fields)
        except TypeError as error:
            raise SettingsError(f"{model} has no such setting: {error}") from error


@runtime_checkable
class ResumableModel(Model[Learned], Protocol[Learned]):
    """A model whose fit goes on where one that was killed had stopped."""

    resumable: ClassVar[Literal[True]]

    def fit(
        self,
        learned: Learned,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
    ) -> FittedSpace:
        """As `Model.fit`, and with the same bytes however often it was killed on the way.

        ``workspace`` is a directory of this fit's own; whoever has saved the space removes it.
        """


def missing_extra(model: type[Model[Any]]) -> str | None:
    """The extra of Crossfade whose library ``model`` needs and this installation lacks, or None.

    A model that needs one says so in ``needs``, the names of the library and of the extra.
    """
    library, extra = getattr(model, "needs", (None, None))
    return extra if library is not None and importlib.util.find_spec(library) is None else None
