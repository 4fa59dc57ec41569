"""The tags of a library: which ones say most, where they lie on a map, and which items they say most about.

A tag is a term of the model that knows the words about items (`crossfade.models.cultural`). How much it says is

    s(t) = Σ over items i of w(i, t)² · ln(1 + listeners of i)

which favours what leads the descriptions of items that are played over what is mentioned of all. Its vector is the sum
of its items' vectors by their weights, less the mean of all tags, at length 1: tags are alike if these vectors are.

Places on the map keep each tag close to those that are alike (`crossfade.surfaces.tsne`). Both are computed once for
each release, in O(words) and O(tags²).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import numpy.typing as npt

from crossfade.core.computed import row_map
from crossfade.core.csr import CSR, starts_of
from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.ids import MISSING
from crossfade.core.kinds import KINDS
from crossfade.models.cultural import FittedCultural
from crossfade.stores.contract import Entry
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.tsne import Places, places_of

MOST_TAGS = 300
"""On the map."""

LEADING = 50
"""Terms of an item, the heaviest, that count for what tags say and where they lie."""

SHORTEST = 2
"""Letters of a tag."""


@dataclass(frozen=True, kw_only=True)
class Tag:
    """A tag on the map.

    items   of which it is said
    weight  how much it says in the whole library; 1 for the first
    x, y    its place, from -1 to 1; tags that are said of the same items lie close
    """

    name: str
    items: int
    weight: float
    x: float
    y: float


@dataclass(frozen=True, eq=False, kw_only=True)
class TagMap:
    """The tags of a library, those that say most first.

    kind    of the items that they are about
    words   the model behind them
    terms   (tags,) their places in its vocabulary
    vectors  (tags, factors) at length 1
    places  (tags, 2)
    """

    kind: str
    tags: Sequence[Tag]
    words: FittedCultural
    terms: npt.NDArray[np.int64]
    vectors: Places
    places: Places

    def weights(self, items: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """Return what each tag says about each of ``items``, by the model's rows: (items, tags) from 0 to 1."""
        taken = self.words.words.take(items)
        column = np.full(len(self.words.vocabulary), MISSING, dtype=np.int64)
        column[self.terms] = np.arange(len(self.terms))
        owners, columns = np.repeat(np.arange(len(items)), np.diff(taken.indptr)), column[taken.indices]
        found = np.zeros((len(items), len(self.terms)))
        known = columns != MISSING
        found[owners[known], columns[known]] = taken.values[known]
        return found

    def placed(self, weights: npt.NDArray[np.float64]) -> list[tuple[float, float] | None]:
        """Return where items with such ``weights`` (items, tags) of the tags lie; None for one without tags."""
        squares = weights**2
        totals = squares.sum(axis=1)
        means = squares @ self.places / np.maximum(totals, 1e-12)[:, None]
        return [(x, y) if total > 0 else None for (x, y), total in zip(means.tolist(), totals.tolist(), strict=True)]


class _Once:
    """The tags of one release; other requests go on while they are computed."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.made: TagMap | None = None


def tag_map(opened: OpenRelease) -> TagMap:
    """Return the tags of a release, computed once; NotReadyError if it knows no words."""
    once = opened.once(_Once, _Once)
    with once.lock:
        if once.made is None:
            once.made = _made(opened)
        return once.made


def leading_term(opened: OpenRelease, kind: str, row: int) -> str | None:
    """Return the term that says most about the item at ``row`` of the catalogue, or about what it belongs to.

    None if nothing is known.
    """
    parents = opened.catalogue[kind].parents
    parent = KINDS[kind].parent
    if parent is not None and parents is not None and parents[row] != MISSING:
        kind, row = parent, int(parents[row])
    words = opened.words(kind)
    found = MISSING if words is None else words.item_ids.find(opened.catalogue[kind].ids[row])
    if words is None or found == MISSING:
        return None
    own = words.told(words.words.indices[words.words.of(found)], 1)
    return words.vocabulary[int(own[0])] if len(own) else None


def tagged(opened: OpenRelease, tag: str, size: int) -> Mapping[str, list[Entry]]:
    """Return the ``size`` items of each kind of which ``tag`` says most, best first.

    Raises UnknownIdError if it is said of none, with tags of the map that have some of its letters as suggestions.
    """
    found = {kind: opened.about(tag, kind, size) for kind in opened.release.tables.kinds}
    if any(found.values()):
        return {kind: entries for kind, entries in found.items() if entries}
    suggestions: tuple[str, ...] = ()
    try:
        names = [one.name for one in tag_map(opened).tags]
        suggestions = tuple(name for name in names if tag.casefold() in name)[:5]
    except NotReadyError:
        pass
    raise UnknownIdError(f"Nothing is tagged {tag!r}.", suggestions=suggestions)


def similar_tags(opened: OpenRelease, tag: str, size: int) -> list[Tag]:
    """Return the ``size`` tags that are most like ``tag``; none for one that is not on the map."""
    known = tag_map(opened)
    place = next((place for place, one in enumerate(known.tags) if one.name == tag), None)
    if place is None:
        return []
    order = np.argsort(-(known.vectors @ known.vectors[place]), kind="stable").tolist()
    return [known.tags[one] for one in order if one != place][:size]


def _made(opened: OpenRelease) -> TagMap:
    kind = next((one for one in KINDS if KINDS[one].parent is None and opened.words(one) is not None), None)
    words = None if kind is None else opened.words(kind)
    if kind is None or words is None:
        raise NotReadyError(f"Release {opened.version} knows no tags. Import tags, and run `crossfade run`.")
    items, leading = opened.catalogue[kind], _leading(words.words)
    rows = row_map(words.item_ids, items.ids)(np.arange(len(words.item_ids), dtype=np.int32))
    listened = np.log1p(np.where(rows == MISSING, 0, items.listeners[rows])) + 1e-3
    owners = np.repeat(np.arange(leading.rows), np.diff(leading.indptr))
    said = np.bincount(
        leading.indices, weights=leading.values**2 * listened[owners], minlength=len(words.vocabulary)
    ).astype(np.float64)
    order = np.argsort(-said, kind="stable")
    wordy = [len(words.vocabulary[int(term)]) >= SHORTEST for term in order]
    terms = words.told(order[wordy & (said[order] > 0)], MOST_TAGS)
    terms = terms[np.argsort(-said[terms], kind="stable")]
    vectors = _vectors(words, leading, terms, owners)
    places = places_of(vectors)
    tags = [
        Tag(
            name=words.vocabulary[int(term)],
            items=int(words.frequencies[term]),
            weight=float(said[term] / said[terms[0]]),
            x=float(x),
            y=float(y),
        )
        for term, (x, y) in zip(terms, places, strict=True)
    ]
    return TagMap(kind=kind, tags=tags, words=words, terms=terms, vectors=vectors, places=places)


def _leading(words: CSR) -> CSR:
    """The `LEADING` heaviest terms of each item."""
    lengths = np.minimum(np.diff(words.indptr), LEADING)
    starts = starts_of(lengths)
    places = np.arange(starts[-1]) + np.repeat(words.indptr[:-1] - starts[:-1], lengths)
    return CSR(starts, words.indices[places], words.values[places])


def _vectors(
    words: FittedCultural, leading: CSR, terms: npt.NDArray[np.int64], owners: npt.NDArray[np.int64]
) -> Places:
    """(tags, factors) the vectors of ``terms``, of items by their ``leading`` terms."""
    from scipy.sparse import csr_array

    column = np.full(len(words.vocabulary), MISSING, dtype=np.int64)
    column[terms] = np.arange(len(terms))
    columns = column[leading.indices]
    known = columns != MISSING
    by_tag = csr_array((leading.values[known], (columns[known], owners[known])), shape=(len(terms), leading.rows))
    vectors = np.asarray(by_tag @ np.asarray(words.space.points), dtype=np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    vectors -= vectors.mean(axis=0)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Places = vectors / np.where(lengths > 0, lengths, 1.0)
    return unit
