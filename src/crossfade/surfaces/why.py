"""Why an item is on a user's page, or why it isn't: read from what the page was made from.

The page is made again by the code that makes every page (`crossfade.surfaces.discover.Pages.made`). It keeps its
candidates, their scores and what became of each, and the answer is read from these alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from crossfade.core.catalogue import Catalogue
from crossfade.core.ids import MISSING, Ids, Rows
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import KINDS, kind_named
from crossfade.ranking.reasons import BARRED
from crossfade.ranking.scoring import Explains, Floats
from crossfade.stores.contract import Named, Reason, shortest
from crossfade.surfaces.discover import Making, Pages, Unwanted

Outcome = Literal[
    "shown",  # on the page
    "played",  # in the user's history
    "unwanted",  # blocked or disliked, or known from the user's own plays alone
    "familiar",  # its root was played too often to be a discovery
    "alias",  # another name of what was played
    "unknown root",  # nobody knows which artist or show it belongs to
    "not learned",  # the leading model doesn't know it
    "not proposed",  # no source of candidates has it
    "not among the popular",  # its root is proposed, but others of its items are more popular
    "scored too low",
    "too alike",  # to what is on the page
    "enough of its root",  # on the page
    "reason used up",  # its reasons stand beside enough other items
    "no reason",  # nothing makes it believable
]

MOST_EVIDENCE = 5
RELATED = "related"
"""The source of what is in the related lists of the items that a user recognises."""


@dataclass(frozen=True, kw_only=True)
class Evidence(Named):
    """An item of the user's history that has the explained one, or its root, in its related list.

    plays      how often the user played it
    closeness  how close the two are, above 0 and at most 1
    """

    plays: int
    closeness: float


@dataclass(frozen=True, kw_only=True)
class Why:
    """Why an item is on the page of a user, or why it isn't.

    text           the answer in a sentence or two
    parent         what the item belongs to; None for a root, and where it is unknown
    model          the leading model
    place          on the page, from 1
    page           the length of the page
    rank           by score alone, from 1, among the ``candidates``
    score          as on the page, before the deduction for being like other items of the page
    models         what each model of a blend adds to the blend's own score; empty where another model leads
    chance         that the user plays a candidate, by the blend's score and by plays that were hidden from it
    contributions  what each model and feature added to the score, where the scorer can say that
    proposed_by    the leading model, "related", or both
    reason         what stands beside it on the page
    evidence       what else of the history it is close to, the strongest first
    """

    user: str
    item: Named
    parent: Named | None = None
    model: str
    outcome: Outcome
    text: str
    place: int | None = None
    page: int
    rank: int | None = None
    candidates: int
    score: float | None = None
    contributions: Mapping[str, float] = field(default_factory=dict)
    models: Mapping[str, float] = field(default_factory=dict)
    chance: float | None = None
    proposed_by: tuple[str, ...] = ()
    reason: Reason | None = None
    evidence: tuple[Evidence, ...] = ()


def why(
    pages: Pages,
    catalogue: Catalogue,
    user: str,
    item: int,
    histories: Mapping[str, Interactions] | None = None,
    unwanted: Unwanted | None = None,
) -> Why:
    """Return why an item, by row of ``catalogue``, is on the page of ``user``, or isn't.

    histories  of the user, by kind; by default those that the pages of the release are made of
    unwanted   what the user does not want
    """
    trained: Collection[str] = ()
    if histories is None:
        histories, trained = pages.histories(Ids.of([user])), pages.trained
    made = pages.made(histories, trained=trained, unwanted=unwanted)
    return _Question(pages, catalogue, made, item).answer(user, *pages.model_parts(histories, item, trained=trained))


class _Question:
    """One item, and how the page of one user was ``made``."""

    def __init__(self, pages: Pages, catalogue: Catalogue, made: Making, item: int) -> None:
        self.pages, self.catalogue, self.made, self.item = pages, catalogue, made, item
        self.root = _root_of(catalogue, pages.kind, item)
        found = np.flatnonzero(made.candidates.items == item)
        self.pair = int(found[0]) if found.size else None
        lists = pages.sources.tables
        in_lists = lists.related[made.seeds.rows] == self.root
        self.listing, places = np.nonzero(in_lists if self.root != MISSING else np.zeros_like(in_lists))
        self.closeness = lists.related_scores[made.seeds.rows[self.listing], places]

    def answer(self, user: str, models: Mapping[str, float], chance: float | None) -> Why:
        """Return the answer about ``user``.

        models  what each model adds to the score of the leading one
        chance  that the user plays the item
        """
        pages, made = self.pages, self.made
        scores, pair = made.scores, self.pair
        outcome, text = self._ranked(pair) if pair is not None else self._absent()
        if pair is None:
            chance = None  # chances were learned from candidates
        if chance is not None:
            text += f" {_odds(chance)}"
        place = self._place()
        parent_kind = kind_named(pages.kind).parent
        parents = self.catalogue[pages.kind].parents
        parent = None if parent_kind is None or parents is None else int(parents[self.item])
        parts: Mapping[str, Floats] = {}
        if pair is not None and isinstance(pages.scorer, Explains):
            parts = pages.scorer.contributions(made.candidates)
            if (lost := scores - pages.scorer.score(made.candidates)).any():
                parts = {**parts, "dislikes": lost}
        return Why(
            user=user,
            item=self._named(pages.kind, self.item),
            parent=None if parent_kind is None or parent in (None, MISSING) else self._named(parent_kind, parent),
            model=pages.leading,
            outcome=outcome,
            text=text,
            place=None if place is None else place + 1,
            page=len(made.assembled.places),
            rank=None if pair is None else self._rank(pair),
            candidates=len(scores),
            score=None if pair is None else shortest(scores[pair]),
            contributions={name: shortest(np.float32(column[pair])) for name, column in parts.items()},
            models={name: shortest(np.float32(part)) for name, part in models.items()},
            chance=None if chance is None else shortest(np.float32(chance)),
            proposed_by=self._sources(),
            reason=None if place is None else self._reason(place),
            evidence=self._evidence(),
        )

    def _ranked(self, pair: int) -> tuple[Outcome, str]:
        """What became of a candidate."""
        from crossfade.ranking import jitted

        page, settings = len(self.made.assembled.places), self.pages.settings
        rank, root = self._rank(pair), self._name(self.pages.root_kind, self.root)
        fate = int(self.made.assembled.fates[pair])
        by_score = f"By its score it is no. {rank:,} of {len(self.made.scores):,} candidates"
        if fate == jitted.SHOWN:
            place = self._place() or 0
            return "shown", f"No. {place + 1} of {page} on the page. {self._reason(place).text}."
        if fate == jitted.ROOT_FULL:
            what = "under another name" if self._roots_alone else f"with {settings.per_parent} items"
            return "enough of its root", f"{by_score}, but {root} is on the page already, {what}."
        if fate == jitted.REASONS_USED:
            reasons = _listed([evidence.name for evidence in self._evidence()[:2]])
            because_of = f" ({reasons})" if reasons else ""
            used = f"the reason for {settings.per_reason} other items of the page"
            return "reason used up", f"{by_score}, but what makes it believable{because_of} is {used}."
        if fate == jitted.NO_REASON:
            return (
                "no reason",
                f"{by_score}, but it is close to nothing that you know well, so no reason could be given.",
            )
        if fate == jitted.COMPETED and rank <= page:
            return "too alike", f"{by_score}, but it is too much like items that are on the page."
        return "scored too low", f"{by_score}; the page has {page}."

    def _absent(self) -> tuple[Outcome, str]:
        """Why the item was no candidate."""
        pages, made, settings = self.pages, self.made, self.pages.settings
        kinds = kind_named(pages.root_kind).plural
        if BARRED in (
            _plays(made.played.rows, made.played.plays, self.item),
            _plays(made.familiar.rows, made.familiar.plays, self.root),
        ):
            return "unwanted", "It is blocked, disliked, or known from your own plays alone, or what it belongs to is."
        if (plays := _plays(made.played.rows, made.played.plays, self.item)) is not None:
            return "played", f"It is in your history already: {_times(plays)}. The page lists what is new to you."
        if self.root == MISSING:
            return "unknown root", f"Nobody knows which of the {kinds} it belongs to."
        root = self._name(pages.root_kind, self.root)
        if (plays := _plays(made.familiar.rows, made.familiar.plays, self.root)) is not None:
            return "familiar", f"You know {root} already: {_times(plays)}. The page lists what is new to you."
        groups, one = pages.sources.variants(made.familiar.rows), np.array([self.root], np.int32)
        same = (groups == pages.sources.variants(one)) | (groups == pages.sources.last(one))
        if same.any():
            other = self._name(pages.root_kind, int(made.familiar.rows[np.argmax(same)]))
            return "alias", f"{root} counts as another name of {other}, which is in your history already."
        if self._sources():
            most = f"the {settings.children} most popular {kind_named(pages.kind).plural} of {root}"
            return "not among the popular", f"Only {most} are considered, and it isn't among them."
        if pages.learned(self.root) == MISSING:
            return "not learned", f"{pages.leading} doesn't know {root}: too few listeners played it."
        lists = f"the {settings.related} closest of any of the {len(made.seeds.rows)} {kinds} that you know well"
        best = f"the {settings.taste_candidates} that {pages.leading} scores best for you"
        return "not proposed", f"{root} is neither among {lists}, nor among {best}."

    @property
    def _roots_alone(self) -> bool:
        return self.pages.kind == self.pages.root_kind

    def _place(self) -> int | None:
        places = self.made.assembled.places.tolist()
        return places.index(self.pair) if self.pair in places else None

    def _rank(self, pair: int) -> int:
        scores = self.made.scores
        return 1 + int(np.count_nonzero(scores > scores[pair]) + np.count_nonzero(scores[:pair] == scores[pair]))

    def _sources(self) -> tuple[str, ...]:
        found = {self.pages.leading: bool((self.made.best == self.root).any()), RELATED: bool(len(self.listing))}
        return tuple(name for name, has in found.items() if has and self.root != MISSING)

    def _reason(self, place: int) -> Reason:
        columns = self.made.assembled.lists.columns
        named = self._named(self.pages.root_kind, int(columns["reason"][place]))
        return Reason.of(named, int(columns["reason_plays"][place]))

    def _evidence(self) -> tuple[Evidence, ...]:
        seeds = self.made.seeds
        best = np.argsort(-self.closeness * seeds.reason_weights[self.listing], kind="stable")
        found = [(int(seeds.rows[self.listing[one]]), self.closeness[one]) for one in best]
        # A reason can be close without having it in its list.
        if (place := self._place()) is not None:
            row = int(self.made.assembled.lists.columns["reason"][place])
            if row not in {seed for seed, _ in found}:
                found.insert(0, (row, self.made.assembled.closeness[place]))
        plays = dict(zip(seeds.rows.tolist(), seeds.plays.tolist(), strict=True))
        return tuple(
            Evidence(**vars(self._named(self.pages.root_kind, row)), plays=plays[row], closeness=shortest(closeness))
            for row, closeness in found[:MOST_EVIDENCE]
        )

    def _named(self, kind: str, row: int) -> Named:
        items = self.catalogue[kind]
        return Named(kind=kind, id=items.ids[row], name=items.names[row])

    def _name(self, kind: str, row: int) -> str:
        return self.catalogue[kind].names[row]


def _root_of(catalogue: Catalogue, kind: str, row: int) -> int:
    """The row of the root of an item, or of itself where the library has no roots; MISSING if it is unknown."""
    while (parent := KINDS[kind].parent) is not None and parent in catalogue and row != MISSING:
        parents = catalogue[kind].parents
        row, kind = MISSING if parents is None else int(parents[row]), parent
    return row


def _plays(rows: Rows, plays: Sequence[int] | np.ndarray, row: int) -> int | None:
    found = np.flatnonzero(rows == row)
    return int(plays[found[0]]) if found.size else None


def _times(plays: int) -> str:
    return "played once" if plays == 1 else f"played {plays:,} times"


def _odds(chance: float) -> str:
    """The chance of a play in words."""
    share = f"about {chance:.0%}" if chance >= 0.01 else "less than 1%"
    return f"The chance that you play it is {share}, judging by plays that were hidden from the models."


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)
