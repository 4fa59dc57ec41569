"""What stations and playlists draw from: the pools of a release, and the items that a seed stands for."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from crossfade.core.errors import InputError, NotReadyError, UnknownIdError
from crossfade.core.kinds import KINDS
from crossfade.core.names import folded
from crossfade.live.cache import Cache
from crossfade.live.stations import MOST_SEEDS, Source
from crossfade.stores.contract import Entry, Named
from crossfade.stores.live import ItemRef
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.registry import POOL

TAG, TEXT, PLAYLIST = "tag", "text", "playlist"
"""What a seed can be besides a kind of item."""

OF_PARENT = 10
"""Children that an artist or a show stands for, the most popular ones."""

OF_WORDS = 20
"""Items that a tag or a text stands for."""

OF_LIST = 20
"""Items of a playlist whose pools are drawn from; of a longer one, so many evenly spread, the last among them."""

MOST_KEPT = 512
"""Pools that are kept in memory as long as their release is open; one has some 80 KB and takes some 4 ms to read."""

MOST_NAMES = 50_000
"""Names whose folded form is kept as long."""


class ReleasePools:
    """The `crossfade.live.stations.Pools` of an open release, for items of ``kind`` (None: the release's main kind).

    With ``model`` the pools are computed by that model.
    """

    def __init__(self, opened: OpenRelease, kind: str | None = None, model: str | None = None) -> None:
        self.opened = opened
        self.kind = opened.table(POOL, kind).kind
        self._model = model
        self._kept: Cache[Sequence[Entry]] = opened.once(ReleasePools, lambda: Cache(MOST_KEPT))
        self.folded = opened.once(folded, lambda: lru_cache(MOST_NAMES)(folded))

    def __call__(self, item_id: str) -> Sequence[Entry]:
        """Return the pool of an item, best first; empty for one that has none."""
        key = self.kind, item_id, self._model
        entries = self._kept.find(key)
        if entries is None:
            try:
                entries = self.opened.entries(POOL, item_id, kind=self.kind, model=self._model)
            except UnknownIdError:
                entries = []
            self._kept.keep(key, entries)
        return entries

    def sources(self, seeds: Sequence[tuple[str, str]]) -> tuple[Source, ...]:
        """Return what a station of ``seeds`` draws from: pairs of a kind of item, ``TAG`` or ``TEXT``, and an id, a
        name, or the words.

        Raises UnknownIdError for a seed that the release does not have, NotReadyError if nothing is close to any,
        InputError for more than `MOST_SEEDS` seeds.
        """
        if len(seeds) > MOST_SEEDS:
            raise InputError(f"A station starts from at most {MOST_SEEDS} seeds, not {len(seeds)}.")
        return self.shared([self.of_seed(kind, text) for kind, text in seeds])

    def sources_of(self, items: Iterable[ItemRef], because: Named | None = None) -> tuple[Source, ...]:
        """Return what a station of a playlist of ``items`` draws from; errors as for `sources`.

        because  what they stand for; None for each itself
        """
        return self.shared([[one] for one in self.of_items(items, because)])

    def of_items(self, items: Iterable[ItemRef], because: Named | None = None) -> list[Source]:
        """Return what ``items`` stand for, as for `sources_of`; those that the release does not have are left out."""
        known = [item for item in items if item.kind in (self.kind, *_above(self.kind))]
        chosen = [
            known[-1 - place * len(known) // min(len(known), OF_LIST)] for place in range(min(len(known), OF_LIST))
        ]
        found: list[Source] = []
        for item in chosen:
            try:
                found += self.of_seed(item.kind, item.id)
            except UnknownIdError:
                continue
        return found if because is None else [replace(one, because=because) for one in found]

    def of_seed(self, kind: str, text: str) -> list[Source]:
        """Return what one seed stands for; errors as for `sources`."""
        if kind in (TAG, TEXT):
            return self._of_words(kind, text)
        if kind not in KINDS:
            raise InputError(f"A seed is a kind of item, {TAG}, {TEXT} or {PLAYLIST}, not {kind!r}.")
        item = self.opened.release.tables.item(kind, text)
        because = Named(kind=kind, id=item.id, name=item.name)
        if kind == self.kind:
            if self(item.id) or item.parent is None:
                return [Source(id=item.id, because=because)]
            # Of an item that no model knows, the others of its parent are the best that is known.
            return self._of_parent(item.parent.id, because)
        if kind in _above(self.kind):
            return self._of_parent(item.id, because)
        raise InputError(f"A station of {KINDS[self.kind].plural} cannot start from {KINDS[kind].plural}.")

    def _of_parent(self, parent: str, because: Named) -> list[Source]:
        children = self.opened.children(self.kind, parent, OF_PARENT)
        return [Source(id=one.id, because=because, itself=one) for one in children]

    def _of_words(self, kind: str, text: str) -> list[Source]:
        because = Named(kind=kind, id=text, name=text)
        entries = self.opened.about(text, self.kind, OF_WORDS)
        if not entries:
            roots = self.opened.about(text, KINDS[self.kind].root, OF_WORDS)
            entries = [child for one in roots for child in self.opened.children(self.kind, one.id, 2)]
        if entries:
            return [Source(id=one.id, because=because, itself=one) for one in entries]
        # Nobody wrote these words: they may be a name.
        tables = self.opened.release.tables
        found = tables.search(text, limit=1, kinds=[*_above(self.kind), self.kind])
        named = next((item for items in found.items.values() for item in items), None)
        if named is None:
            raise UnknownIdError(f"Nothing is known about {text!r}.", suggestions=found.suggestions)
        return self.of_seed(named.kind, named.id)

    def shared(self, seeds: Sequence[Sequence[Source]]) -> tuple[Source, ...]:
        """Return the sources of all seeds, each seed with the same share; those without a pool are left out."""
        with_pools = [[one for one in sources if one.itself or self(one.id)] for sources in seeds]
        with_pools = [sources for sources in with_pools if sources][:MOST_SEEDS]
        if not any(self(one.id) for sources in with_pools for one in sources):
            raise NotReadyError(f"Release {self.opened.version} knows nothing that is close to that.")
        most = max(1, MOST_SEEDS // len(with_pools))
        return tuple(
            replace(one, share=1 / (len(sources[:most]) * len(with_pools)))
            for sources in with_pools
            for one in sources[:most]
        )


def _above(kind: str) -> list[str]:
    """The kinds that items of ``kind`` belong to."""
    above = []
    while (parent := KINDS[kind].parent) is not None:
        above.append(parent)
        kind = parent
    return above
