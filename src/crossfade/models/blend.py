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

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np

from crossfade.core.csr import CSR, starts_of
from crossfade.core.errors import SettingsError
from crossfade.core.holdout import held_out, part_of
from crossfade.core.interactions import Interactions
from crossfade.core.progress import Progress, silent
from crossfade.core.settings import Checked, Range, as_table
from crossfade.core.spaces import VectorSpace
from crossfade.models import blend_compared
from crossfade.models.blend_again import again_weights
from crossfade.models.blend_features import extras
from crossfade.models.blend_fitted import FittedBlend
from crossfade.models.blend_learning import Ranker, learned
from crossfade.models.blend_trees import lightgbm
from crossfade.models.blend_weights import Evidence, Weights
from crossfade.models.contract import Configured, Fitted, InputKind, Keeping, require_interactions

LEARNED = 50
"""Candidates of each model that the weights are learned from: the head of the lists, where they matter."""

MOST_BYTES = 4_000_000_000
"""What fitting one of the models may take, for it to be among those that are blended without being named."""


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
