"""Discover: for each user items that are new to them, each with a reason from the user's own history.

Children (tracks, episodes) are listed with roots (artists, shows) as reasons, and roots with roots; in a library that
knows children alone, these are reasons for each other. The four steps, each in a module of `crossfade.ranking`:

    candidates ─► features: a column a model, closeness, popularity ─► a score column ─► assembly: a page with reasons

A user for whom there is nothing believable has an empty page, and gets what new users get.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, NamedTuple

import numpy as np

from crossfade.core.catalogue import Catalogue
from crossfade.core.computed import Computed, row_map
from crossfade.core.csr import CSR
from crossfade.core.errors import ArtifactError
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import KINDS
from crossfade.core.settings import Checked, Range
from crossfade.core.tables import USER
from crossfade.models.by_rows import Asked, ByRows
from crossfade.nearest.contract import Restriction
from crossfade.ranking.assembly import Assembled, Assembler, Placed
from crossfade.ranking.candidates import Candidates, Sources, popular_children, related_lists
from crossfade.ranking.features import POPULARITY
from crossfade.ranking.lists import RankedLists
from crossfade.ranking.popularity import Floats, popularity
from crossfade.ranking.reasons import History, recognised_seeds
from crossfade.ranking.scoring import Formula, Scorer
from crossfade.surfaces.contract import Library, Listing, SurfaceInputs
from crossfade.surfaces.related import nearest_of


@dataclass(frozen=True, kw_only=True)
class DiscoverSettings(Checked):
    """What a page of new items is made of."""

    size: Annotated[int, Range(1, 500)] = 50  # items on a user's page
    taste_candidates: Annotated[int, Range(0, 5000)] = 200  # roots (artists, shows) that the model proposes to a user
    # items of a history, most played first, whose related items are candidates
    seeds: Annotated[int, Range(1, 1000)] = 100
    recognised: Annotated[int, Range(1, 1000)] = 5  # plays from which on a user recognises an item as a reason
    most_played: Annotated[int, Range(1, 100)] = 3  # items that a user recognises however seldom they were played
    familiar: Annotated[int, Range(1, 1000)] = 2  # plays from which on a root is no discovery for a user
    related: Annotated[int, Range(1, 200)] = 20  # related roots of each seed
    children: Annotated[int, Range(1, 100)] = 5  # tracks, episodes, … proposed of each root, the most popular ones
    taste: Annotated[float, Range(0, 1)] = 0.7  # what the model's score counts, against closeness to the seeds
    # from familiar (0) to adventurous (1): the larger, the less known and alike the items are; it sets the next two
    # settings where they are absent
    adventure: Annotated[float, Range(0, 1)] = 0.25
    # what the most popular item loses of its score, of about 1; by default 0.4 · adventure
    popularity_cost: Annotated[float | None, Range(0, 1)] = None
    # weight of being unlike the rest of the page, 0 (none) to 1 (nothing else); by default 0.1 + 0.4 · adventure
    diversity: Annotated[float | None, Range(0, 1)] = None
    pool: Annotated[int, Range(1, 5000)] = 300  # best candidates that compete for each place
    per_parent: Annotated[int, Range(1, 500)] = 2  # items of one root on a page
    per_reason: Annotated[int, Range(1, 500)] = 3  # items of a page that one seed can be the reason for

    @property
    def cost(self) -> float:
        """``popularity_cost``, or what ``adventure`` makes of it."""
        return 0.4 * self.adventure if self.popularity_cost is None else self.popularity_cost

    @property
    def spread(self) -> float:
        """``diversity``, or what ``adventure`` makes of it."""
        return 0.1 + 0.4 * self.adventure if self.diversity is None else self.diversity


class Discover:
    """The surface; see `crossfade.surfaces.contract.Surface`."""

    name: ClassVar[str] = "discover"
    settings_class: ClassVar[type[DiscoverSettings]] = DiscoverSettings

    def listings(self, library: Library) -> list[Listing]:
        """Pages for users, of every kind that they play; reasons are roots where users and a model know these."""
        kinds = [kind for kind in library.kinds if kind in library.compared]
        roots = {kind: KINDS[kind].root for kind in kinds}
        return [Listing(self.name, USER, kind, root if root in kinds else kind) for kind, root in roots.items()]

    def prepare(self, inputs: SurfaceInputs, listing: Listing, settings: DiscoverSettings) -> "Pages":
        """Pages by the formula, with the models that lead."""
        return Pages(inputs, listing, settings)


class Unwanted(NamedTuple):
    """What n users do not want to be shown, by rows of the catalogue.

    barred    by kind, lists of items that are not on the page; nor is anything of a root, or the root as a reason
    disliked  roots, and how much of its score an item loses for being of that root; what is close to it loses less
    """

    barred: Mapping[str, CSR]
    disliked: CSR


class Making(NamedTuple):
    """How the pages of n users came about.

    played      the items that each user played
    seeds       the roots that each user recognises
    best        (n, any) the roots that the leading model proposes to each, padded with MISSING
    familiar    the roots that are no discovery to each user
    candidates  the items that compete, with their columns
    scores      their scores
    assembled   the pages
    """

    played: History
    seeds: History
    best: Rows
    familiar: History
    candidates: Candidates
    scores: Floats
    assembled: Assembled


class Pages:
    """The pages of users, by any ``scorer``; see `crossfade.surfaces.contract.Prepared`.

    kind       of the items
    root_kind  of the reasons
    played     by these kinds, who played what
    sources    of the candidates
    """

    def __init__(
        self, inputs: SurfaceInputs, listing: Listing, settings: DiscoverSettings, scorer: Scorer | None = None
    ) -> None:
        from crossfade.ranking.jitted import Rules

        kind, root_kind = listing.kind, listing.reason_kind or listing.kind
        items, roots, models = inputs.catalogue[kind], inputs.catalogue[root_kind], inputs.models[kind]
        self.kind, self.root_kind, self.settings, self._threads = kind, root_kind, settings, inputs.threads
        self.played = {name: inputs.interactions[name] for name in (root_kind, kind)}
        self._leading = ByRows(inputs.models[root_kind][0], roots.ids, inputs.threads)
        self._models = {model.name: ByRows(model, items.ids, inputs.threads) for model in models}
        self._popularity = popularity(items.listeners)
        self.scorer = scorer or Formula(models[0].name, settings.taste, settings.cost)
        variants, last = inputs.variants[root_kind], inputs.last_credited[root_kind]
        neighbourhood = inputs.neighbourhood(root_kind)
        nearest = nearest_of(inputs, root_kind, settings.related, settings.related).nearest
        if kind == root_kind:
            children = Computed(len(roots), lambda rows: rows[:, None], np.int32, (1,))
        else:
            root_of = roots_of(inputs.catalogue, kind)
            children = popular_children(root_of, len(roots), items, inputs.variants[kind], settings.children)
        self.sources = Sources(
            related_lists(len(roots), settings.related, nearest), children, variants, last, len(items)
        )
        self._assembler = Assembler(
            self.sources,
            Placed.of(models[0].space, items.ids),
            Placed.of(neighbourhood.model.space, roots.ids, neighbourhood.scales),
            Rules(
                size=settings.size,
                pool=settings.pool,
                diversity=settings.spread,
                per_root=1 if kind == root_kind else settings.per_parent,
                per_reason=settings.per_reason,
                threshold=neighbourhood.threshold,
            ),
            inputs.threads,
        )
        self.trained = {name for name in self.played if name not in inputs.later}
        self._ids = {name: inputs.catalogue[name].ids for name in self.played}
        self._rows = {name: row_map(played.item_ids, self._ids[name]) for name, played in self.played.items()}

    @property
    def leading(self) -> str:
        """The name of the model that proposes roots."""
        return self._leading.model.name

    def learned(self, root: int) -> int:
        """Return the row of a root in the leading model; MISSING if that doesn't know it."""
        return self._leading.model.item_ids.find(self._ids[self.root_kind][root])

    def rows_of(self, kind: str, rows: Rows) -> Rows:
        """Return the catalogue rows of ``rows`` of what was ``played`` of ``kind``."""
        return self._rows[kind](rows)

    @property
    def keys(self) -> Ids:
        """The users who played what reasons are."""
        return self.played[self.root_kind].user_ids

    def lists(self, keys: Rows) -> RankedLists:
        """Return the pages of these users, with the columns ``score``, ``reason`` and ``reason_plays``."""
        return self.made_for(keys).assembled.lists

    def model_parts(
        self, histories: Mapping[str, Interactions], item: int, *, trained: Collection[str] = ()
    ) -> tuple[Mapping[str, float], float | None]:
        """Return what each model of a blend that leads adds to its score of an item, and the chance of a play.

        Of one user's ``histories``, as in `pages`. Nothing where no blend leads; no chance where it had too little to
        learn that from.
        """
        leading = next(iter(self._models.values()))
        asked = _asked(leading, histories[self.kind], self.kind in trained)
        pair = np.array([0, 1]), np.array([item], dtype=np.int32)
        parts, chances = leading.parts(asked, *pair), leading.chances(asked, *pair)
        return {name: float(part[0]) for name, part in parts.items()}, None if chances is None else float(chances[0])

    def made_for(self, keys: Rows) -> Making:
        """Return the same with all that they were made from."""
        users = self.keys if len(keys) == len(self.keys) else Ids.of(self.keys.select(keys))
        return self.made(self.histories(users), trained=self.trained)

    def histories(self, users: Ids) -> dict[str, Interactions]:
        """Return what ``users`` have played, by kind."""
        return {kind: played.histories(users) for kind, played in self.played.items()}

    def pages(
        self,
        histories: Mapping[str, Interactions],
        *,
        trained: Collection[str] = (),
        unwanted: Unwanted | None = None,
    ) -> RankedLists:
        """Return the pages of any n users from their ``histories`` by kind, with the same users in each.

        Of the kinds ``trained``, users that a model was fitted on have the profile from then, else that of their
        history.
        """
        return self.made(histories, trained=trained, unwanted=unwanted).assembled.lists

    def made(
        self,
        histories: Mapping[str, Interactions],
        *,
        trained: Collection[str] = (),
        unwanted: Unwanted | None = None,
    ) -> Making:
        """Return the same pages with all that they were made from."""
        settings = self.settings
        history, played = (self._history(histories[kind]) for kind in (self.root_kind, self.kind))
        believable = history
        if unwanted is not None:
            barred = unwanted.barred
            believable, history = history.without(barred[self.root_kind]), history.joined(barred[self.root_kind])
            played = played.joined(barred[self.kind])
        seeds = recognised_seeds(
            believable, most=settings.seeds, recognised=settings.recognised, most_played=settings.most_played
        )
        best = np.zeros((len(history.indptr) - 1, 0), dtype=np.int32)
        asked: Asked | None = None
        if settings.taste_candidates:
            asked = _asked(self._leading, histories[self.root_kind], self.root_kind in trained)
            own = Restriction(indptr=history.indptr, indices=history.rows)
            found = self._leading.best(asked, len(best), settings.taste_candidates, own)
            best = np.where(found.scores > 0, found.rows, MISSING)
        familiar = history.where(history.plays >= settings.familiar)
        candidates = self.sources.propose(seeds, best, familiar, played, self._threads)
        # Of roots, the profiles that proposed candidates score them too.
        known = {self.leading: asked} if asked is not None and self.kind == self.root_kind else {}
        candidates = self._with_features(candidates, histories[self.kind], self.kind in trained, known)
        scores = self.scorer.score(candidates)
        if unwanted is not None:
            scores = scores - self._lost(candidates, unwanted.disliked)
        assembled = self._assembler.pages(candidates, scores, seeds)
        return Making(played, seeds, best, familiar, candidates, scores, assembled)

    def _with_features(
        self, candidates: Candidates, histories: Interactions, trained: bool, known: Mapping[str, Asked]
    ) -> Candidates:
        """The candidates with the columns that the scorer needs; ``known`` are profiles by model."""
        columns = dict(candidates.columns)
        for name in self.scorer.needs:
            if name == POPULARITY:
                columns[name] = self._popularity[candidates.items]
            elif name in self._models:
                asked = known[name] if name in known else _asked(self._models[name], histories, trained)
                columns[name] = self._models[name].scores(asked, candidates.indptr, candidates.items)
            elif name not in columns:
                raise ArtifactError(f"Discover needs scores of {name} on {self.kind}s, and there is no such model.")
        return replace(candidates, columns=columns)

    def _lost(self, candidates: Candidates, disliked: CSR) -> Floats:
        """(n,) what each candidate loses for what its user dislikes."""
        lost = np.zeros(len(candidates.items), dtype=np.float32)
        for user in np.flatnonzero(np.diff(disliked.indptr)).tolist():
            span, pairs = disliked.of(user), slice(*candidates.indptr[user : user + 2])
            listed, strengths = self.sources.related(disliked.indices[span]), disliked.values[span]
            by_root = np.zeros(len(self._ids[self.root_kind]), dtype=np.float32)
            inside = listed["item"] != MISSING
            np.maximum.at(by_root, listed["item"][inside], (strengths[:, None] * listed["score"])[inside])
            np.maximum.at(by_root, disliked.indices[span], strengths)
            lost[pairs] = by_root[candidates.roots[pairs]]
        return lost

    def _history(self, histories: Interactions) -> History:
        """The ``histories`` by catalogue rows; items that the catalogue lacks are left out."""
        kind, item_ids = histories.kind, histories.item_ids
        same = item_ids is self.played[kind].item_ids
        rows = (self._rows[kind] if same else row_map(item_ids, self._ids[kind]))(histories.indices)
        return History(histories.indptr, rows, histories.plays).where(rows != MISSING)


def _asked(model: ByRows, histories: Interactions, trained: bool) -> Asked:
    return model.asked(histories, model.users(histories.user_ids) if trained else None)


def roots_of(catalogue: Catalogue, kind: str) -> Rows:
    """Return the row of the root of each item of ``kind``; MISSING where it is unknown."""
    rows = np.arange(len(catalogue[kind]), dtype=np.int32)
    while (parent := KINDS[kind].parent) is not None:
        parents = catalogue[kind].parents
        rows, kind = np.where(rows == MISSING, MISSING, np.asarray(parents)[rows]), parent
    return rows
