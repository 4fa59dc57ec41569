"""The blend: several models as one, which counts each as much as it helps to foretell what users play next.

    score_ui = Σ_m w_m z_mui,    z_mui = (s_mui - s_mu(d)) / (s_mu(1) - s_mu(d))

s_mui is the exact score of model m, s_mu(r) that of the r-th best item that u has not played, d = `depth`. So the best
item of each model has 1 and its d-th best 0, whatever the model's scale, and a history alone decides what they are.
Of each model the best d items are candidates, and every candidate is scored in every model.

The weights are learned from a cut: the same models fitted on a part of the pairs, and what the rest says users went on
to play (`crossfade.models.blend_weights`). They are then applied to the models fitted on everything. A model that adds
nothing gets no weight and is not asked.

Items are compared by a weighted mean of the models' cosines (`crossfade.models.blend_compared`); the space of the blend
holds vectors whose inner products come closest to that.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt

from crossfade.core.computed import RowMap, row_map
from crossfade.core.csr import CSR, Starts, check_indices, gathered, starts_of
from crossfade.core.errors import ArtifactError, InputError, SettingsError
from crossfade.core.holdout import held_out, part_of
from crossfade.core.ids import Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Checked, Range, as_table
from crossfade.core.spaces import Neighbours, Vectors, VectorSpace
from crossfade.kernels.histories import multiplied
from crossfade.kernels.search.best import best_of_lists
from crossfade.kernels.search.panels import unit_vectors
from crossfade.kernels.threads import threads_for
from crossfade.models import blend_compared
from crossfade.models.blend_again import PLAYS, again_weights
from crossfade.models.blend_features import extras, facts_of, table
from crossfade.models.blend_learning import Ranker, learned
from crossfade.models.blend_part import BlendProfiles, Part
from crossfade.models.blend_trees import lightgbm
from crossfade.models.blend_weights import Evidence, Matrix, Weights
from crossfade.models.by_rows import ByRows
from crossfade.models.contract import (
    Configured,
    Fitted,
    Floats,
    InputKind,
    Keeping,
    require_interactions,
)
from crossfade.models.factors import ComparedByCosine
from crossfade.nearest.contract import EVERYTHING, Index, Restriction
from crossfade.nearest.vectors import require_count

LEARNED = 50
"""Candidates of each model that the weights are learned from: the head of the lists, where they matter."""

MOST_BYTES = 4_000_000_000
"""What fitting one of the models may take, for it to be among those that are blended without being named."""

MEMBERS, TRAINED = "members", "trained"
"""The directories of a saved blend that have the models, by name, and what it was fitted on."""

_WEIGHTS = "blend.json"


@dataclass(frozen=True, kw_only=True)
class BlendSettings(Checked):
    """What a blend is made from."""

    # what is blended; none: every model that learns from interactions, unless fitting it takes more than 4 GB.
    # A run blends what it fits
    models: tuple[str, ...] = ()
    hidden: Annotated[float, Range(0.01, 0.5)] = 0.15  # share of the pairs that the weights are learned from
    users: Annotated[int, Range(100, 1_000_000)] = 8000  # users that the weights are learned from, at most
    depth: Annotated[int, Range(10, 1000)] = 100  # d: best items of each model that are candidates
    # "trees" corrects the weighted sum by LambdaRank on scores, places, popularity, recency and history length;
    # it needs `pip install 'crossfade[trees]'`
    ranker: Ranker = "linear"
    factors: Annotated[int, Range(8, 2048)] = 160  # width of the vectors by which items are compared
    seed: Annotated[int, Range(0)] = 0  # of what is hidden, and of the users


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class FittedBlend(ComparedByCosine["BlendProfiles"]):
    """Several fitted models as one.

    members  the models by name
    weights  what each counts, and why
    trained  what it was fitted on
    current  the models that were fitted on the same; users have the profiles of their histories in the others
    """

    members: Mapping[str, Fitted[Any]]
    weights: Weights
    trained: Interactions
    current: Collection[str]

    @property
    def user_ids(self) -> Ids:
        """The users that it was fitted on."""
        return self.trained.user_ids

    def profiles(self, histories: Interactions, *, threads: int | None = None) -> "BlendProfiles":
        """The profiles of the n users of ``histories`` in all models; see `Fitted.profiles`."""
        self.histories_of(histories)
        return BlendProfiles(self, histories, trained=False, threads=threads)

    def trained_profiles(self, users: Rows) -> "BlendProfiles":
        """The profiles of trained users; see `Fitted.trained_profiles`."""
        check_indices(users, len(self.user_ids), "users")
        return BlendProfiles(self, self.trained, trained=True, rows=users)

    def best(
        self,
        profiles: "BlendProfiles",
        k: int,
        restriction: Restriction = EVERYTHING,
        *,
        index: Index | None = None,
        threads: int | None = None,
    ) -> Neighbours:
        """The ``k`` best for each profile of the candidates of all models; see `Fitted.best`.

        An ``index`` searches the vectors by which items are compared, for the mean of the history.
        """
        require_count(k)
        asked = self._checked(profiles)
        if index is not None:
            return self._require_index(index, "cosine").search(
                self._directions(asked, threads), k, restriction, threads=threads
            )
        restriction.open_items(len(self.item_ids))  # refuses rows that do not exist
        indptr, indices = restriction.of_queries(len(asked))
        found = Neighbours.none(len(asked), k)
        for first, part in asked.parts(threads):
            users = slice(first, first + len(part))
            starts, places = gathered(indptr, np.arange(users.start, users.stop))
            limits = Restriction(
                indptr=starts, indices=indices[places], barred=restriction.barred, allowed=restriction.allowed
            )
            candidates, rows = part.candidates(max(k, self.depth), limits)
            scores = self._scored(part, candidates, rows, threads)
            best_of_lists(candidates, rows, scores, found.rows[users], found.scores[users])
        return found

    def scores(self, profiles: "BlendProfiles", indptr: Starts, items: Rows, *, threads: int | None = None) -> Floats:
        """(n,) exact scores of pairs; see `Fitted.scores`."""
        indptr, items = self._pairs(len(self._checked(profiles)), indptr, items)
        scores = np.empty(len(items), dtype=np.float32)
        for part, starts, pairs in self._pieces(profiles, indptr, threads):
            scores[pairs] = self._scored(part, starts, items[pairs], threads)
        return scores

    def parts(
        self, profiles: "BlendProfiles", indptr: Starts, items: Rows, *, threads: int | None = None
    ) -> dict[str, Floats]:
        """(n,) what each model adds to the scores of pairs; see `MadeOfModels.parts`."""
        indptr, items = self._pairs(len(self._checked(profiles)), indptr, items)
        parts: dict[str, Floats] = {}
        for part, starts, pairs in self._pieces(profiles, indptr, threads):
            columns = part.columns(starts, items[pairs])
            found = [self._parts(columns)]
            if self.weights.trees is not None:
                found.append(self.weights.trees.parts(self._table(part, starts, items[pairs], columns), threads))
            own, again = self._again(part, starts, items[pairs], columns)
            for name, added in [pair for one in found for pair in one.items()]:
                added[own] = 0
                parts.setdefault(name, np.zeros(len(items), dtype=np.float32))[pairs] += added
            for name, added in again.items():
                parts.setdefault(name, np.zeros(len(items), dtype=np.float32))[pairs][own] += added
        return parts

    def chances(
        self, profiles: "BlendProfiles", indptr: Starts, items: Rows, *, threads: int | None = None
    ) -> Floats | None:
        """(n,) the chance that the user plays the item, of pairs; see `MadeOfModels.chances`."""
        if self.weights.chances is None:
            return None
        indptr, items = self._pairs(len(self._checked(profiles)), indptr, items)
        scores = self.scores(profiles, indptr, items, threads=threads)
        history = np.concatenate(
            [part.history for part, *_ in self._pieces(profiles, indptr, threads)] or [np.zeros(0, np.float32)]
        )
        return self.weights.chances.of(scores, np.repeat(history, np.diff(indptr)))

    def columns(self, profiles: "BlendProfiles", indptr: Starts, items: Rows, *, threads: int | None = None) -> Matrix:
        """(n, models) the standardized scores of pairs in each model, NaN where it does not know the item."""
        indptr, items = self._pairs(len(self._checked(profiles)), indptr, items)
        columns = np.empty((len(items), len(self.members)), dtype=np.float32)
        for part, starts, pairs in self._pieces(profiles, indptr, threads):
            columns[pairs] = part.columns(starts, items[pairs])
        return columns

    def _pieces(
        self, profiles: "BlendProfiles", indptr: Starts, threads: int | None
    ) -> Iterator[tuple[Part, Starts, slice]]:
        """The parts of ``profiles``, the indptr of each one's pairs, and their place among all pairs."""
        for first, part in profiles.parts(threads):
            starts = indptr[first : first + len(part) + 1]
            yield part, starts - starts[0], slice(int(starts[0]), int(starts[-1]))

    @property
    def depth(self) -> int:
        """d, how many of the best items of each model are candidates."""
        return int(self.settings["depth"])

    def _scored(self, part: Part, indptr: Starts, items: Rows, threads: int | None) -> Floats:
        """(n,) the scores of pairs of the users of ``part``."""
        columns = part.columns(indptr, items)
        scores = np.zeros(len(columns), dtype=np.float32)
        for added in self._parts(columns).values():
            scores += added
        if self.weights.trees is not None:
            scores += self.weights.trees.scores(self._table(part, indptr, items, columns), threads)
        own, again = self._again(part, indptr, items, columns)
        if again:
            scores[own] = 0
            for added in again.values():
                scores[own] += added
        return scores

    def _again(
        self, part: Part, indptr: Starts, items: Rows, columns: Matrix
    ) -> tuple[npt.NDArray[np.bool_], dict[str, Floats]]:
        """Which pairs (n,) are of items that the user has played, and what makes their scores, if that was learned."""
        if self.weights.again is None:
            return np.zeros(len(items), dtype=np.bool_), {}
        plays = part.plays(indptr, items, len(self.item_ids))
        own = ~np.isnan(plays)
        parts = self._parts(columns[own], self.weights.again[:-1])
        return own, {**parts, PLAYS: self.weights.again[-1] * plays[own]}

    def _table(self, part: Part, indptr: Starts, items: Rows, columns: Matrix) -> Matrix:
        """(n, features) what trees see of pairs of the users of ``part``, from their ``columns``."""
        return table(columns, extras(part, indptr, items, columns, self.facts), np.flatnonzero(self.weights.weights))

    @cached_property
    def facts(self) -> Matrix:
        """(items, 2) popularity and recency; see `crossfade.models.blend_features`."""
        return facts_of(self.trained)

    def _parts(self, columns: Matrix, weights: Floats | None = None) -> dict[str, Floats]:
        """(n,) what each model that counts adds to the scores of pairs, from their ``columns`` (n, models).

        weights  (models,), by default those for new items
        """
        names, counted = list(self.members), np.flatnonzero(self.weights.weights).tolist()
        weights = self.weights.weights if weights is None else weights
        return {
            names[model]: weights[model]
            * np.where(np.isnan(columns[:, model]), self.weights.unknown[model], columns[:, model])
            for model in counted
        }

    def _directions(self, asked: "BlendProfiles", threads: int | None) -> Vectors:
        """(n, factors) the mean directions of the histories."""
        histories = self.histories_of(asked.histories, asked.rows)
        damped = CSR(histories.indptr, histories.indices, np.log1p(histories.values))
        return unit_vectors(multiplied(damped, unit_vectors(np.array(self.space.points)), threads_for(threads)))

    def _checked(self, profiles: "BlendProfiles") -> "BlendProfiles":
        if not isinstance(profiles, BlendProfiles):
            raise InputError(
                f"profiles of {self.name} are those that its profiles() gave, not a {type(profiles).__name__}"
            )
        return profiles

    @cached_property
    def member_users(self) -> list[RowMap]:
        """By model, what gives its rows of trained users; MISSING for a user that it was not fitted on."""
        nobody = Ids.of([])
        return [row_map(self.user_ids, one.user_ids or nobody) for one in self.members.values()]

    def by_rows(self, threads: int | None) -> list[ByRows]:
        """The models, asked by the rows of this one."""
        if threads not in self._by_rows:
            self._by_rows[threads] = [ByRows(model, self.item_ids, threads) for model in self.members.values()]
        return self._by_rows[threads]

    # Kept, since comparing the ids of each model with these takes longer than one user's scores.
    @cached_property
    def _by_rows(self) -> dict[int | None, list[ByRows]]:
        return {}

    def _save_more(self, directory: Path) -> None:
        # What is there already, a run has linked to where it was made.
        for name, model in self.members.items():
            if not (directory / MEMBERS / name).exists():
                model.save(directory / MEMBERS / name)
        if not (directory / TRAINED).exists():
            self.trained.save(directory / TRAINED)
        described = {**self.weights.described(), "current": sorted(self.current)}
        (directory / _WEIGHTS).write_text(json.dumps(described, indent=2, sort_keys=True) + "\n", encoding="utf-8")

    @classmethod
    def _load_more(cls, directory: Path, space: VectorSpace) -> dict[str, Any]:
        from crossfade.models.registry import load_fitted

        try:
            described = json.loads((directory / _WEIGHTS).read_text(encoding="utf-8"))
            learned = Weights.of(described)
            current = frozenset(str(name) for name in described["current"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{directory} has no readable blend: {error}. Run `crossfade verify`.") from error
        return {
            "members": {name: load_fitted(directory / MEMBERS / name) for name in learned.models},
            "weights": learned,
            "current": current,
            "trained": Interactions.load(directory / TRAINED, kind=space.kind),
        }


class Blend(Configured[BlendSettings]):
    """Several models as one."""

    name: ClassVar[str] = "blend"
    learns_from: ClassVar[InputKind] = "interactions"
    settings_class: ClassVar[type[BlendSettings]] = BlendSettings
    fitted_class: ClassVar[type[FittedBlend]] = FittedBlend
    keeps: ClassVar[Keeping] = "unless leading"
    blends: ClassVar[bool] = True

    def fit(
        self,
        interactions: Interactions,
        /,
        *,
        threads: int | None = None,
        progress: Progress = silent,
        workspace: Path | None = None,
    ) -> FittedBlend:
        """Fit every model twice, on a cut and on all of ``interactions``, and what each counts; see `Model.fit`.

        Keeps nothing in the ``workspace``. Raises InputError for interactions that nothing can be learned from, and
        SettingsError for models that cannot be blended.
        """
        from crossfade.models.registry import model_class

        require_interactions(interactions, self.name)
        if self.settings.ranker == "trees":
            lightgbm()  # says what is missing before anything is fitted
        classes = {name: model_class(name) for name in self._names(len(interactions.item_ids))}
        hidden = held_out(interactions, self.settings.hidden, np.random.default_rng(self.settings.seed))
        shown = part_of(interactions, ~hidden)
        rounds = 2 * len(classes) + 1
        fitted: list[dict[str, Fitted[Any]]] = []
        for data in (shown, interactions):
            fitted.append({})
            for name, one in classes.items():
                progress(sum(map(len, fitted)), rounds, "fits")
                model = one(**one.scoring_only) if data is shown else one()
                fitted[-1][name] = model.fit(data, threads=threads)
        cut, whole = fitted
        weights = self.weigh(cut, shown, part_of(interactions, hidden), threads=threads)
        joined = self.join(whole, weights, interactions)
        progress(rounds, rounds, "fits")
        return joined

    def memory_bytes(self, items: int) -> int:
        """What fitting the largest of its models takes, and all of them fitted twice; see `Model.memory_bytes`."""
        from crossfade.models.registry import model_class

        largest = max((model_class(name)().memory_bytes(items) for name in self._names(items)), default=0)
        return 2 * super().memory_bytes(items) * len(self._names(items)) + largest

    def _names(self, items: int) -> list[str]:
        """The models to fit; SettingsError for one that cannot be blended here."""
        from crossfade.models.registry import MODELS, model_class

        possible = [name for name in MODELS if name != self.name and model_class(name).learns_from == "interactions"]
        if wrong := [name for name in self.settings.models if name not in possible]:
            raise SettingsError(
                f"a blend that fits its models itself cannot have {wrong[0]!r} among them; it can have "
                f"{', '.join(possible)}"
            )
        return list(dict.fromkeys(self.settings.models)) or [
            name for name in possible if model_class(name)().memory_bytes(items) <= MOST_BYTES
        ]

    def weigh(
        self,
        cut: Mapping[str, Fitted[Any]],
        shown: Interactions,
        hidden: Interactions,
        again: Interactions | None = None,
        *,
        threads: int | None = None,
    ) -> Weights:
        """Return what each model counts.

        cut     the models, fitted on ``shown``
        hidden  what its users went on to play, by the same ids
        again   which of the pairs of ``shown`` they played again, by the same ids; None where that is not known
        """
        first = self.join(cut, Weights.even([*cut]), shown, compared=False)
        found = learned(self._evidence(first, hidden, threads), [*cut], self.settings.ranker, threads)
        found = replace(found, compared=blend_compared.learned([*cut.values()], shown, hidden, self.settings.seed))
        if again is None:
            return found
        return replace(found, again=again_weights(self._evidence(first, again, threads, again=True), found))

    def join(
        self,
        members: Mapping[str, Fitted[Any]],
        weights: Weights,
        interactions: Interactions,
        current: Collection[str] | None = None,
        *,
        compared: bool = True,
    ) -> FittedBlend:
        """Blend the ``members``, which are in the order of the ``weights``.

        current   those that were fitted on ``interactions``, and whose users therefore have profiles; None: all
        compared  whether items will be compared; else their points are all zero
        """
        ids = interactions.item_ids
        vectors = np.zeros((len(ids), self.settings.factors), dtype=np.float32)
        if compared:
            models = [*members.values()]
            share = blend_compared.even(models) if weights.compared is None else weights.compared
            vectors = blend_compared.mean_cosines(models, share, ids, self.settings.factors)
        return FittedBlend(
            space=VectorSpace(
                model=self.name,
                kind=interactions.kind,
                metric="cosine",
                item_ids=interactions.item_ids,
                item_vectors=vectors,
                settings=as_table(self.settings),
            ),
            support=interactions.listeners(),
            members=members,
            weights=weights,
            trained=interactions,
            current=frozenset(members if current is None else current),
        )

    def _evidence(
        self, blend: FittedBlend, hidden: Interactions, threads: int | None, *, again: bool = False
    ) -> Evidence:
        """The candidates of some of the users of whom something is hidden: of what is played ``again``, histories."""
        users = np.flatnonzero(np.diff(hidden.indptr)).astype(np.int32)
        if len(users) > self.settings.users:
            chosen = np.random.default_rng(self.settings.seed).permutation(len(users))[: self.settings.users]
            users = users[np.sort(chosen)]
        starts, columns, hits, history, more = [], [], [], [], []
        items = len(blend.item_ids)
        for first, part in blend.trained_profiles(users).parts(threads):
            some = users[first : first + len(part)]
            if again:
                indptr, rows = part.own.indptr, part.own.indices
                more_columns = [part.plays(indptr, rows, items)[:, None]]
            else:
                indptr, rows = part.candidates(min(LEARNED, blend.depth), part.own_alone)
                more_columns = []
            starts.append(np.diff(indptr))
            columns.append(np.concatenate([part.columns(indptr, rows), *more_columns], axis=1))
            history.append(part.history)
            if self.settings.ranker == "trees" and not again:
                more.append(extras(part, indptr, rows, columns[-1], blend.facts))
            played = CSR(hidden.indptr, hidden.indices, hidden.weights).take(some)
            keys = np.repeat(np.arange(len(some)), np.diff(played.indptr)) * items + played.indices
            hits.append(np.isin(np.repeat(np.arange(len(some)), np.diff(indptr)) * items + rows, keys))
        return Evidence(
            starts_of(np.concatenate([*starts, np.zeros(0, dtype=np.int64)])),
            np.concatenate([*columns, np.zeros((0, len(blend.members) + again), dtype=np.float32)]),
            np.concatenate([*hits, np.zeros(0, dtype=np.bool_)]),
            np.diff(hidden.indptr)[users],
            np.concatenate([*history, np.zeros(0, dtype=np.float32)]),
            np.concatenate(more) if more else None,
        )
