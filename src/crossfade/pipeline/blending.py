"""Steps that blend the models of a run: a cut of the plays, fits on it, what each model counts, and the blend.

    interactions ─► cut ─► a fit of each model on the cut ─► weights ─┐
         └───────────────► a fit of each model ───────────────────────┴─► blend

The cut has the plays before a moment, after which a `hidden` share of the listens lie; the weights are learned from
what users played then for the first time. Without enough listens with a time it leaves out random pairs.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from crossfade.aggregation.interactions import InteractionSettings, build_interactions
from crossfade.aggregation.sequences import SequenceSettings, build_sequences
from crossfade.core.artifacts import MANIFEST, Draft, is_made_from, link_or_copy
from crossfade.core.errors import ArtifactError
from crossfade.core.holdout import held_out, new_pairs, part_of, seen_pairs
from crossfade.core.home import Home
from crossfade.core.interactions import Interactions
from crossfade.core.queries import open_queries
from crossfade.core.schemas import LISTENS
from crossfade.models.blend_trees import lightgbm
from crossfade.models.blend_weights import LEAST_HITS, Weights
from crossfade.models.registry import load_fitted, model_class
from crossfade.pipeline.gathering import Gathering
from crossfade.pipeline.learning import FitModel, OfModel
from crossfade.pipeline.steps import Context, Step

MOMENT, HIDDEN, AGAIN, WEIGHTS = "moment.json", "hidden", "again", "weights.json"
"""What an artifact has: the moment of a cut in milliseconds since 1970, or null; what it hides; what of the rest was
played again, after a moment; the weights."""


class CutPlays(Gathering):
    """Leaves out what was played last, or at random; ``counted`` is the step of the interactions."""

    action = "cut"
    label = "Hide some plays of {plural}"

    def run(self, draft: Draft, context: Context) -> None:
        """Write the interactions of the cut, and the hidden ones."""
        share = float(self.settings["hidden"])
        whole = Interactions.load(self.inputs(context.home)[self.counted], kind=self.kind)
        moment = self._moment(draft, context, share)
        shown = hidden = None
        if moment is not None:
            settings = InteractionSettings(
                **{name: value for name, value in self.settings.items() if name not in ("hidden", "seed")}
            )
            inputs = self.tables(context), self.catalog(context)
            build = partial(build_interactions, before=moment)
            self.fill(draft, context, build, *inputs, self.kind, draft.path, settings)
            draft.rows.clear()
            shown = Interactions.load(draft.path, kind=self.kind)
            hidden = new_pairs(whole, shown)
        if shown is None or hidden is None or hidden.pairs < LEAST_HITS:
            moment, rng = None, np.random.default_rng(int(self.settings["seed"]))
            chosen = held_out(whole, share, rng)
            shown, hidden = part_of(whole, ~chosen), part_of(whole, chosen)
            for path in draft.path.iterdir():
                path.unlink()
            shown.save(draft.path)
        else:
            assert moment is not None
            later = part_of(whole, whole.last_played >= moment // 1000)
            seen_pairs(later, shown).save(draft.path / AGAIN)
        hidden.save(draft.path / HIDDEN)
        (draft.path / MOMENT).write_text(json.dumps(moment) + "\n", encoding="utf-8")
        draft.rows.update(pairs=shown.pairs, hidden=hidden.pairs)

    def _moment(self, draft: Draft, context: Context, share: float) -> int | None:
        """The moment, in milliseconds since 1970, after which that share of the listens lie; None without listens."""
        spill = draft.path / "spill"
        try:
            with open_queries(spill, memory_limit=context.memory_bytes, threads=context.threads) as queries:
                queries.view("listens", self.tables(context).get("listens", ()), LISTENS)
                ((found,),) = queries.rows(
                    "SELECT quantile_disc(epoch_ms(listened_at), $share) FROM listens WHERE NOT skipped",
                    share=1 - share,
                )
        finally:
            shutil.rmtree(spill, ignore_errors=True)
        return None if found is None else int(found)


class CutSequences(Gathering):
    """Orders the plays of a cut, whose step is ``counted``; playlists stay whole."""

    action = "cut-sequences"
    label = "Order the plays of {plural} that are not hidden"

    def run(self, draft: Draft, context: Context) -> None:
        """Write the sequences."""
        moment = json.loads((self.inputs(context.home)[self.counted] / MOMENT).read_text(encoding="utf-8"))
        inputs = self.tables(context)["listens"], self.catalog(context), self.kind, self.item_ids(context)
        build = partial(build_sequences, before=moment)
        self.fill(draft, context, build, *inputs, draft.path, SequenceSettings(**self.settings))


class FitOnCut(FitModel):
    """Fits a model on a cut."""

    action = "cut-fit"
    label = "Fit {model} on {plural}, some hidden"

    @property
    def name(self) -> str:
        """The name of the model's own step, and that it is on a cut: "cut-als-track"."""
        return f"cut-{self.fitted}"

    @property
    def instead(self) -> Mapping[str, Any]:
        return model_class(self.model).scoring_only


@dataclass(frozen=True, kw_only=True)
class WeighModels(FitModel):
    """Learns what each model counts; ``source`` is the step of the cut.

    cut  by model, the step that fitted it without what is hidden
    """

    action: ClassVar[str] = "weights"
    version: ClassVar[int] = 2
    label: ClassVar[str] = "Learn what each model of {plural} adds"
    cut: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of the blend's step, and that it is about weights: "weights-track"."""
        return f"{self.action}-{self.kind}"

    def memory(self, home: Home) -> int:
        """As that of any step that reads so much."""
        return Step.memory(self, home)

    def run(self, draft: Draft, context: Context) -> None:
        """Write the weights."""
        from crossfade.models.blend import Blend

        places = self.inputs(context.home)
        shown = Interactions.load(places[self.source], kind=self.kind)
        hidden = Interactions.load(places[self.source] / HIDDEN, kind=self.kind)
        played = places[self.source] / AGAIN
        again = Interactions.load(played, kind=self.kind) if played.is_dir() else None
        cut = {name: load_fitted(places[step]) for name, step in self.cut.items()}
        settings = {name: value for name, value in self.settings.items() if not name.startswith("models.")}
        weights = Blend(**settings).weigh(cut, shown, hidden, again, threads=context.threads)
        (draft.path / WEIGHTS).write_text(json.dumps(weights.described()) + "\n", encoding="utf-8")
        draft.rows.update(models=len(cut), counted=int(np.count_nonzero(weights.weights)))


@dataclass(frozen=True, kw_only=True)
class BlendModels(OfModel):
    """Makes one model of several.

    interactions  the step of what its users played
    weights       the step of what each model counts
    members       by model, the step that fitted it
    """

    action: ClassVar[str] = "join"
    version: ClassVar[int] = 2
    label: ClassVar[str] = "Blend the models of {plural}"
    interactions: str
    weights: str
    members: Mapping[str, str]

    @property
    def name(self) -> str:
        return self.fitted

    def run(self, draft: Draft, context: Context) -> None:
        """Write the blend; its models are linked."""
        from crossfade.models.blend import Blend
        from crossfade.models.blend_fitted import MEMBERS, TRAINED

        places = self.inputs(context.home)
        try:
            text = (places[self.weights] / WEIGHTS).read_text(encoding="utf-8")
            weights = Weights.of(json.loads(text))
            members = {name: load_fitted(places[self.members[name]]) for name in weights.models}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ArtifactError(f"{places[self.weights]} has no readable weights: {error}. Run again.") from error
        played = places[self.interactions]
        interactions = Interactions.load(played, kind=self.kind)
        current = [name for name in members if is_made_from(places[self.members[name]], played)]
        for name in members:
            _link(places[self.members[name]], draft.path / MEMBERS / name)
        _link(played, draft.path / TRAINED)
        blend = Blend(**self.settings).join(members, weights, interactions, current)
        blend.save(draft.path)
        draft.rows.update(users=len(blend.user_ids), items=len(blend.item_ids), models=len(members))


def _link(source: Path, target: Path) -> None:
    """Have the files of an artifact at ``target`` too, without its manifest."""
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.relative_to(source) != Path(MANIFEST):
            place = target / path.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            link_or_copy(path, place)


def require_ranker(settings: Mapping[str, Any]) -> None:
    """Raise MissingExtraError for a blend of these settings whose library is not installed: before hours of fitting."""
    if settings["ranker"] == "trees":
        lightgbm()
