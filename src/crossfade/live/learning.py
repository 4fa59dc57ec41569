"""The live state as an import of the library, so that the next release learns from it.

Listens go through the door that files go through, and are cleaned and counted there. What a user left out of taste is
left out; what was deleted is gone, and so is what was made from it (`crossfade.importing.forgetting`).
"""

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from crossfade.core.errors import CrossfadeError, InputError, UnknownIdError
from crossfade.core.home import Home
from crossfade.core.kinds import KINDS
from crossfade.formats.contract import DEFAULT_KIND, Member, Sink, Source
from crossfade.importing.cleaning import CleaningSettings
from crossfade.importing.imports import replace_rows, replaced_by
from crossfade.importing.ledger import Ledger
from crossfade.live.counting import excludes
from crossfade.live.matching import matched
from crossfade.stores.contract import Tables
from crossfade.stores.live import Exclusion, Listen, Track
from crossfade.stores.live_contract import LiveState
from crossfade.stores.releases import Releases

LIVE = "live"
"""The format of the import."""

Answer = TypeVar("Answer")

Exclusions = Mapping[str, Sequence[Exclusion]]
"""What is left out of taste, by user."""


def import_live(
    home: Home, live: LiveState, releases: Releases, settings: CleaningSettings | None = None, now: float | None = None
) -> Ledger | None:
    """Bring the import of the live state up to date; None if nothing in it can be learned.

    The ids of items and their parents are those of the active release of ``releases``, where it has them. Raises
    BusyError while another process writes in the home, StorageError if the disk is full.
    """
    deletions = live.deletions()
    exclusions = dict(_of_all(live, live.exclusions))
    left_out, content, empty = _digest(exclusions), hashlib.sha256(), True
    for listen in _counted(live, exclusions):
        empty = False
        content.update(f"{listen.id} {listen.ms_played} {listen.skipped} {listen.source} {listen.context}\n".encode())
    feedback = itertools.chain.from_iterable(given for _, given in _of_all(live, live.feedback))
    opinions = [(one.user, one.sort, one.value, one.track.key) for one in feedback]
    content.update(repr(sorted(opinions)).encode())
    try:
        release = releases.open()
    except CrossfadeError:
        release = None  # the first release makes its own ids
    try:
        tables = None if release is None else release.tables
        return replace_rows(
            home,
            _LiveFormat(live, exclusions, tables),
            inputs={LIVE: content.hexdigest()},
            without={"deletions": deletions, "left_out": left_out},
            empty=empty,
            settings=settings,
            now=now,
        )
    finally:
        if release is not None:
            release.close()


def require_no_live_import(home: Home, names: Collection[str]) -> None:
    """Raise InputError if one of ``names`` is the import of the live state, which would become an import again."""
    one = replaced_by(home, LIVE)
    if one is not None and one.name in names:
        raise InputError(
            f"The import {one.name!r} is what arrived over HTTP. Delete it there, by `crossfade listens delete` or "
            "`crossfade users remove`, and the next run forgets it."
        )


class _LiveFormat:
    """A format that reads the live state instead of a file."""

    name = LIVE
    title = "Listens that arrived over HTTP"

    def __init__(self, live: LiveState, exclusions: Exclusions, tables: Tables | None) -> None:
        self._live, self._exclusions, self._tables = live, exclusions, tables

    def recognise(self, member: Member) -> float:
        """Never: no file is the live state."""
        return 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """Listens, then what is thought of items that are known."""
        (member,) = source.members
        for number, listen in enumerate(_counted(self._live, self._exclusions), start=1):
            track = listen.track
            item_id, parent_id = self._ids(track)
            kind = DEFAULT_KIND if track.item is None else track.item.kind
            is_root = KINDS[kind].parent is None
            sink.listen(
                (member, number),
                user_id=listen.user,
                listened_at=listen.listened_at / 1000,
                kind=kind,
                item_id=item_id,
                name=track.artist if is_root else track.title,
                parent_id=parent_id,
                parent=None if is_root else track.artist,
                ms_played=listen.ms_played,
                duration_ms=track.duration_ms,
                skipped=listen.skipped,
                source=listen.source,
                context=listen.context,
                platform=listen.client,
                album=track.album,
            )
        for _, given in _of_all(self._live, self._live.feedback):
            for one in given:
                if one.sort == "thumb" and (item := one.track.item) is not None:
                    sink.feedback(one.user, item.id, one.value, one.given_at / 1000, kind=item.kind)

    def _ids(self, track: Track) -> tuple[str | None, str | None]:
        """The ids of a track and of what it belongs to, as the library has them; None where the names decide."""
        if track.item is not None:
            found = None if self._tables is None else self._tables.find(*track.item)
            if found is None or found.id != track.item.id or found.parent is None:
                return track.item.id, None
            return found.id, found.parent.id
        artist = track.artist_mbids[0] if len(track.artist_mbids) == 1 else None
        if self._tables is not None:
            root = matched(self._tables, replace(track, title=None, mbid=None)).item
            artist = artist if root is None else root.id
        return track.mbid, artist


def _of_all(live: LiveState, asked: Callable[[str], Answer]) -> Iterator[tuple[str, Answer]]:
    """Yield each user, and what ``asked`` answers about them; not one who is removed meanwhile."""
    for account in live.accounts():
        with contextlib.suppress(UnknownIdError):
            yield account.user, asked(account.user)


def _counted(live: LiveState, exclusions: Exclusions) -> Iterator[Listen]:
    """Yield the listens that count for taste."""
    for listen in live.every_listen():
        if not any(excludes(one, listen) for one in exclusions.get(listen.user, ())):
            yield listen


def _digest(exclusions: Exclusions) -> str:
    found = sorted(repr(one) for some in exclusions.values() for one in some)
    return hashlib.sha256("\n".join(found).encode()).hexdigest()
