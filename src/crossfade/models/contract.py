"""What a model is, and what a fitted model answers.

A model is one file in this room and one line in `crossfade.models.registry`. Fitting it gives a `Fitted`, which answers
for any listening history through four methods, the same for every model:

    profiles          the profiles of histories: a new user is a history
    trained_profiles  the profiles of users that it was fitted on
    best              the k best items for profiles
    scores            exact scores of (profile, item) pairs

A model that also compares items has the methods of `ComparesItems`; the type shows it.
"""

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Generic, Literal, Protocol, Self, TypeVar, runtime_checkable

import numpy as np
import numpy.typing as npt

from crossfade.core.computed import RowMap, row_map
from crossfade.core.csr import CSR, Starts, check_indices, check_indptr, starts_of
from crossfade.core.errors import ArtifactError, InputError, NotReadyError, SettingsError
from crossfade.core.ids import MISSING, Id, Ids, Rows, listed_ids, load_array
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import kind_named
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import from_table
from crossfade.core.spaces import Metric, Neighbours, VectorSpace
from crossfade.core.training import converted
from crossfade.nearest.contract import EVERYTHING, Index, IndexSettings, Restriction

InputKind = Literal["interactions", "sequences", "texts"]
"""What a model is fitted on: who played what how often, what followed what, what was written about what."""

Searched = tuple[tuple[str, ...], ...]
"""Settings that `crossfade.evaluate.searching` chooses, most important first. The others of an entry replace its first,
so that it is left alone where one of them is set."""

Keeping = Literal["always", "unless leading", "never"]
"""Pages are made of today's histories: "unless leading" where the profiles of all users take longer than a fit, "never"
where a fit takes no time."""

OF_USERS = ("user_ids", "user_vectors", "histories", "trained/")
"""Begins the names of the files of a saved model that have a row a user, of which a few users need only their rows."""

OF_MEMBERS = ("members/",)
"""Begins the names of the files of the models that a saved one is made of; items are compared without them."""

Floats = npt.NDArray[np.float32]

Learned = TypeVar("Learned", contravariant=True)
Chosen = TypeVar("Chosen")
Profiles = TypeVar("Profiles")
"""The profiles of n users: vectors (n, factors), damped histories as CSR rows, …; opaque to callers."""


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Fitted(ABC, Generic[Profiles]):
    """A fitted model. Scores are exact, and answers do not depend on the number of threads.

    space    its items (and users) as points: plain data for indexes, diversity and maps. Of a model of similarities the
             points only approximate its similarities
    support  (items,) int64: how much each item was fitted on (listeners, texts, occurrences); 0 means not at all

    A subclass is a dataclass with ``repr=False``; fields of its own are saved by `_save_more` and `_load_more`.
    """

    space: VectorSpace
    support: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if len(self.support) != len(self.item_ids):
            raise ArtifactError(f"The support of {len(self.support)} items does not fit {len(self.item_ids)} items.")

    def __repr__(self) -> str:
        users = "" if self.user_ids is None else f"{len(self.user_ids):,} users × "
        items = f"{len(self.item_ids):,} {kind_named(self.kind).plural}"
        return f"{type(self).__name__}({self.name}: {users}{items}, {self.space.points.shape[1]} factors)"

    @property
    def name(self) -> str:
        """The name that its model is registered under."""
        return self.space.model

    @property
    def kind(self) -> str:
        """The kind of its items."""
        return self.space.kind

    @property
    def item_ids(self) -> Ids:
        """Row number ↔ id of its items."""
        return self.space.item_ids

    @property
    def user_ids(self) -> Ids | None:
        """The users that it was fitted on; None for a model of items alone."""
        return self.space.user_ids

    @property
    def settings(self) -> Mapping[str, Any]:
        """The settings that it was fitted with, none of them unset."""
        return self.space.settings

    @abstractmethod
    def profiles(self, histories: Interactions, *, threads: int | None = None) -> Profiles:
        """The profiles of the n users of ``histories``, row by row, whether or not the model has seen them.

        Items that the model does not know count for nothing. Weights are on the scale that it was fitted on. The
        profile of a trained user's history is close to that user's trained profile. Raises InputError for items of
        another kind.
        """

    @abstractmethod
    def trained_profiles(self, users: Rows) -> Profiles:
        """The profiles of trained users, by row of ``user_ids``; NotReadyError for a model without users."""

    @abstractmethod
    def best(
        self,
        profiles: Profiles,
        k: int,
        restriction: Restriction = EVERYTHING,
        *,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` best items for each profile, best first; ``index`` of ``space`` to search instead of all items.

        Raises InputError for k below 1, SpaceMismatchError for an index of another space.
        """

    @abstractmethod
    def scores(self, profiles: Profiles, indptr: Starts, items: Rows, *, threads: int | None = None) -> Floats:
        """(n,) exact scores of pairs: profile p with items[indptr[p]:indptr[p + 1]].

        The score of a pair equals, to the bit, its score in `best` without an index.
        """

    def save(self, directory: Path | str) -> None:
        """Write everything into ``directory``, which is made if it is missing; `crossfade.load_fitted` reads it."""
        directory = Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        self.space.save(directory)
        np.save(directory / "support.npy", self.support, allow_pickle=False)
        self._save_more(directory)

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Memory-map what `save` wrote; ArtifactError if a part is missing or does not fit."""
        space = VectorSpace.load(directory)
        support = load_array(directory / "support.npy", dtype=np.int64, ndim=1)
        return cls(space=space, support=support, **cls._load_more(directory, space))

    def _save_more(self, directory: Path) -> None:
        """Write the fields of a subclass."""

    @classmethod
    def _load_more(cls, directory: Path, space: VectorSpace) -> dict[str, Any]:
        """Return the fields that `_save_more` wrote, by name."""
        return {}

    def recommend(
        self,
        users: Iterable[Id] | Interactions,
        k: int = 10,
        *,
        exclude: Interactions | None = None,
        exclude_items: Iterable[Id] = (),
        allowed_items: Iterable[Id] | None = None,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` best items for each of ``users``: ids of trained users, or anybody's histories.

        Ids are text or whole numbers, as everywhere.

        exclude        interactions whose items are not recommended again to the same user
        exclude_items  recommended to nobody; unknown ids exclude nothing
        allowed_items  if given, nothing else is recommended; unknown ids allow nothing
        index          of this space and its metric, to search instead of all items
        threads        processors to use, None for all

        Raises UnknownIdError for an id that the model was not fitted on, NotReadyError for ids asked of a model without
        users; give their histories instead.
        """
        if isinstance(users, Interactions):
            names: Sequence[Id] = users.user_ids
            asked = self.profiles(users, threads=threads)
        else:
            names = listed_ids(users)
            asked = self.trained_profiles(self._users().rows(names))
        restriction = self._restriction(exclude_items, allowed_items)
        if exclude is not None:
            if not isinstance(exclude, Interactions):
                raise InputError(
                    f"exclude takes the Interactions whose items are left out, not a {type(exclude).__name__}; "
                    "exclude_items takes ids"
                )
            played = self.histories_of(exclude, exclude.user_ids.rows(names, missing="mark"))
            restriction = replace(restriction, indptr=played.indptr, indices=played.indices)
        return self.best(asked, k, restriction, index=index, threads=threads).named(self.item_ids, names)

    def histories_of(self, interactions: Interactions, users: Rows | None = None) -> CSR:
        """Return the histories of ``users`` (rows of ``interactions``, MISSING for an empty one; None: all of them).

        Columns are this model's items, ascending; values are the weights. Items that the model does not know are left
        out. Raises InputError for items of another kind.
        """
        if not isinstance(interactions, Interactions):
            raise InputError(f"histories are Interactions, not a {type(interactions).__name__}")
        if interactions.kind != self.kind:
            raise InputError(
                f"{self.name} was fitted on {self.kind}s, so interactions with {interactions.kind}s don't fit"
            )
        histories = CSR(interactions.indptr, interactions.indices, interactions.weights)
        if users is not None:
            histories = histories.take(users)
        if interactions.item_ids == self.item_ids:
            return histories
        known = self._row_maps.get(interactions.item_ids)
        if known is None:
            known = row_map(interactions.item_ids, self.item_ids)
            self._row_maps.clear()  # usually all histories come from one release
            self._row_maps[interactions.item_ids] = known
        rows = known(histories.indices)
        kept = rows != MISSING
        return CSR(starts_of(kept)[histories.indptr], rows[kept], histories.values[kept])

    @cached_property
    def _row_maps(self) -> dict[Ids, RowMap]:
        """From the rows of the items that histories had last; only items that were played are ever looked up."""
        return {}

    def _users(self) -> Ids:
        if self.user_ids is None:
            raise NotReadyError(
                f"{self.name} learns nothing of users. Recommend to their histories instead of their ids."
            )
        return self.user_ids

    def _restriction(self, exclude_items: Iterable[Id], allowed_items: Iterable[Id] | None) -> Restriction:
        def rows(names: Iterable[Id]) -> Rows:
            some = self.item_ids.rows(names, missing="mark")
            return np.unique(some[some != MISSING])

        return Restriction(barred=rows(exclude_items), allowed=None if allowed_items is None else rows(allowed_items))

    def _require_index(self, index: Index, metric: Metric) -> Index:
        """Return ``index``; raise SpaceMismatchError or InputError unless it is of this space and by ``metric``."""
        self.space.require_same(index.space_id, "This index")
        if index.metric != metric:
            raise InputError(f"this search is by {metric}, the index by {index.metric}")
        return index

    def _pairs(self, profiles: int, indptr: npt.ArrayLike, items: npt.ArrayLike) -> tuple[Starts, Rows]:
        """Return the pairs of so many profiles with items of this model; InputError if they are not."""
        starts, rows = converted("indptr", indptr, np.int64), converted("items", items, np.int32)
        if len(starts) != profiles + 1:
            raise InputError(f"indptr of {len(starts)} does not fit {profiles} profiles")
        check_indptr(starts, len(rows))
        check_indices(rows, len(self.item_ids))
        return starts, rows


class ItemIndex(Protocol):
    """The items of one fitted model, ready to be compared: similarity(a, b) · scales[a] · scales[b].

    recall  share of the true neighbours that it finds; 1 for exact search
    """

    @property
    def recall(self) -> float:
        """The share, as above."""

    def nearest(self, rows: Rows, k: int, *, threads: int | None = None) -> Neighbours:
        """The ``k`` best others of each of ``rows`` (n,) with a score above zero, best first, never the item itself."""

    def save(self, directory: Path) -> None:
        """Write what `ComparesItems.load_item_index` needs besides the model into an existing ``directory``."""


@runtime_checkable
class MadeOfModels(Protocol):
    """What a fitted model has that is made of others."""

    def parts(self, profiles: Any, indptr: Starts, items: Rows, *, threads: int | None = None) -> Mapping[str, Floats]:
        """(n,) what each of them adds to the score of each pair, by name; they add up to `Fitted.scores`."""

    def chances(self, profiles: Any, indptr: Starts, items: Rows, *, threads: int | None = None) -> Floats | None:
        """(n,) the chance that each user plays the item; None if too little was played to learn them from."""


@runtime_checkable
class ComparesItems(Protocol):
    """The capability of a fitted model that compares items."""

    def similar(
        self,
        items: Iterable[Id],
        k: int = 10,
        *,
        exclude_items: Iterable[Id] = (),
        allowed_items: Iterable[Id] | None = None,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` items most similar to each of ``items``, never the item itself; arguments as for `recommend`.

        Raises UnknownIdError for an item that the model does not know.
        """

    def item_index(self, scales: Floats, settings: IndexSettings, *, progress: Progress = silent) -> ItemIndex:
        """Its items ready to be compared, each similarity multiplied by the ``scales`` (items,) of both ends."""

    def load_item_index(self, directory: Path, scales: Floats) -> ItemIndex:
        """Open what `ItemIndex.save` wrote for the same model and ``scales``; SpaceMismatchError for others."""


class Model(Protocol[Learned]):
    """A way to learn: made from its settings, immutable, can be fitted any number of times."""

    name: ClassVar[str]
    """The name it is registered under."""

    learns_from: ClassVar[InputKind]

    version: ClassVar[int]
    """Of what it fits and saves: increased when the same data and settings give something else."""

    needs: ClassVar[tuple[str, str] | None]
    """The library and the extra of Crossfade that it needs, if any."""

    blends: ClassVar[bool]
    """Whether a run makes it of the other models that it fits."""

    starts_warm: ClassVar[bool]
    """Whether `fit` takes an earlier fitted model as ``start``; such a model has the setting ``warm_iterations``."""

    searched: ClassVar[Searched]
    """Which settings are chosen on a part of the data where nobody sets them."""

    scoring_only: ClassVar[Mapping[str, Any]]
    """Settings with which a fit does less that is only asked for scores, and gives the same scores."""

    keeps: ClassVar[Keeping]
    """When an earlier fit may be kept in place of a new one, where little has come since."""

    tuned: ClassVar[tuple[str, ...]]
    """Which settings `crossfade.evaluate.tuning` tries; each has a default and a declared range."""

    settings_class: ClassVar[type[Any]]
    """The frozen dataclass of its settings, the seed among them."""

    fitted_class: ClassVar[type[Fitted[Any]]]
    """The class that `fit` returns, so that a saved one can be loaded."""

    def __init__(self, settings: Any = None, /, **fields: Any) -> None:
        """Made from an object of its settings class (None: the defaults), or from that class's fields by name."""

    def fit(
        self,
        learned: Learned,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
    ) -> Fitted[Any]:
        """The model fitted on one input (`Interactions` for models that learn from interactions).

        Equal inputs and settings give equal bytes, whatever the number of ``threads`` (None: one a processor).
        ``workspace`` is a directory of this fit's own: a long fit that was killed resumes from it, to the same bytes.
        Whoever has saved the result removes it.
        """

    def memory_bytes(self, items: int) -> int:
        """Estimate the most bytes that fitting on so many items takes besides the input, for who plans fits."""


class Configured(Generic[Chosen]):
    """A model's settings, from an object of its settings class or from that class's fields by name."""

    version: ClassVar[int] = 1
    needs: ClassVar[tuple[str, str] | None] = None
    blends: ClassVar[bool] = False
    starts_warm: ClassVar[bool] = False
    searched: ClassVar[Searched] = ()
    tuned: ClassVar[tuple[str, ...]] = ()
    scoring_only: ClassVar[Mapping[str, Any]] = {}
    keeps: ClassVar[Keeping] = "always"
    settings_class: ClassVar[type[Any]]

    def __init__(self, settings: Chosen | None = None, /, **fields: Any) -> None:
        """Made from ``settings``, or from its fields as keywords; SettingsError if they are not valid."""
        model = type(self).__name__
        if settings is not None and fields:
            raise SettingsError(f"{model} takes settings or keywords, not both")
        if settings is not None and not isinstance(settings, self.settings_class):
            raise SettingsError(f"{model} takes {self.settings_class.__name__}, not {settings!r}")
        self.settings: Chosen = settings if settings is not None else from_table(self.settings_class, fields, model)

    def __repr__(self) -> str:
        default = self.settings_class()
        chosen = {field.name: getattr(self.settings, field.name) for field in fields(self.settings_class)}
        changed = [f"{name}={value!r}" for name, value in chosen.items() if value != getattr(default, name)]
        return f"{type(self).__name__}({', '.join(changed)})"

    def memory_bytes(self, items: int) -> int:
        """Three times the item vectors; see `Model.memory_bytes`."""
        return 3 * 4 * items * int(getattr(self.settings, "factors", 0))


def require(kind: type, learned: object, model: str, makers: str) -> None:
    """Raise InputError unless ``learned`` is what ``model`` is fitted on: a ``kind``, made by one of its ``makers``."""
    if not isinstance(learned, kind):
        raise InputError(
            f"{model} is fitted on {kind.__name__}, not a {type(learned).__name__}: make them with {makers}"
        )


def require_interactions(interactions: Interactions, model: str) -> None:
    """Raise InputError for interactions that ``model`` cannot be fitted on."""
    require(Interactions, interactions, model, "Interactions.from_csr, from_frame or from_counts")
    if not interactions.pairs:
        raise InputError(f"{model} cannot be fitted on no interactions. Import listens first, or lower [interactions].")


def missing_extra(model: type[Model[Any]]) -> str | None:
    """The extra of Crossfade that ``model`` needs and this installation lacks, or None."""
    library, extra = model.needs or (None, None)
    return extra if library is not None and importlib.util.find_spec(library) is None else None
