"""ListenBrainz listens as JSON: dumps, user exports, and pages of its API.

A listen is one object: ``track_metadata`` with names and the player's own fields (``additional_info``), the time as
``listened_at`` or ``timestamp``, and the identifiers that ListenBrainz matched (``mbid_mapping``), which are preferred
to the player's. Dumps and exports have one listen a line; a page of the API has a list of them below ``payload``. An
export (``user.json``, ``listens/<year>/<month>.jsonl``, ``feedback.jsonl``) names its user once, and a thumb in it may
name its track only by ListenBrainz's own identifier (MSID), which is looked up in the export's listens.

Whole blocks of lines are decoded at once into typed rows; a block with a bad line is decoded again line by line, so
that a bad line costs only itself.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from crossfade.core.errors import InputError
from crossfade.core.names import named_id
from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.json_records import json_records
from crossfade.formats.listenbrainz_rows import DECODING_ERRORS, Feedback, Listen, Rows, listen_table

_LISTEN_MARKS = (b'"track_metadata"', b'"artist_name"')
_ACCOUNT = "user.json"
_FEEDBACK = "feedback.jsonl"
_PAGE = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"payload"\s*:\s*\{')
_RUN = 10_000  # rows decoded one by one that go to the sink at once


class _Account(msgspec.Struct):
    """``user.json`` of an export."""

    username: str


class ListenBrainz:
    """Dumps, user exports and API pages."""

    name = "listenbrainz"
    title = "ListenBrainz listens (dump, export or API, JSON)"

    def recognise(self, member: Member) -> float:
        """1 by ListenBrainz's nested columns; a user export's other files by name and content."""
        head = member.head.removeprefix(BOM_UTF8).lstrip()
        if not head.startswith(b"{"):
            return 0.0
        if all(mark in head for mark in _LISTEN_MARKS) and (b'"listened_at"' in head or b'"timestamp"' in head):
            return 1.0
        if member.relative.name == _ACCOUNT and b'"user_id"' in head and b'"username"' in head:
            return 0.95
        if member.relative.name == _FEEDBACK and b'"score"' in head and b'"recording_m' in head:
            return 0.95
        return 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """Read feedback first, to learn which MSIDs to look up in the listens, and hand it to the sink last."""
        user = _exported_user(source)
        thumbs: list[Feedback] = []
        for member in source.members:
            if member.relative.name == _FEEDBACK:
                thumbs += _thumbs(source, member, sink)
        wanted = {thumb.recording_msid for thumb in thumbs if thumb.recording_msid and not thumb.recording_mbid}
        reading = _Reading(sink, user, wanted)
        try:
            for member in source.members:
                if member.relative.name not in (_ACCOUNT, _FEEDBACK):
                    reading.read(source, member)
        finally:
            # Damage to a file of listens must not cost the thumbs whose tracks were read before it.
            for thumb in thumbs:
                track = values.mbid(thumb.recording_mbid) or reading.tracks.get(thumb.recording_msid or "")
                if track is not None:
                    sink.feedback(user, track, thumb.score, thumb.created)


class _Reading:
    """One pass over the listens of an input.

    tracks  the track ids of the recording MSIDs in ``wanted``, as far as listens name them
    """

    def __init__(self, sink: Sink, user: str | None, wanted: set[str]) -> None:
        self.tracks: dict[str, str] = {}
        self._sink = sink
        self._user = user
        self._wanted = wanted
        self._rows = Rows()

    def read(self, source: Source, member: Member) -> None:
        """Hand every listen of ``member`` to the sink."""
        if _PAGE.match(member.head):
            with source.open(member) as file:
                self._one_by_one(member, json_records(file, ("payload", "listens"), member.name))
            return
        for first, block in source.blocks(member):
            listens = self._rows.block(block)
            if listens is not None:
                self._put(member, first, listens)
            else:
                lines = block.removeprefix(BOM_UTF8 if first == 1 else b"").removesuffix(b"\n").split(b"\n")
                self._one_by_one(member, _decoded(enumerate(lines, start=first)))

    def _one_by_one(self, member: Member, rows: Iterable[tuple[int, Any]]) -> None:
        """Convert rows one by one, and hand many valid ones to the sink together."""
        run: list[Listen] = []
        numbers: list[int] = []
        try:
            for number, row in rows:
                listen = self._rows.one(row)
                if len(run) == _RUN:
                    self._put(member, pa.array(numbers, pa.int64()), run)
                    run, numbers = [], []
                if listen is not None:
                    run.append(listen)
                    numbers.append(number)
                else:
                    self._sink.drop((member, number), "malformed", "not a JSON object with ListenBrainz's columns")
        finally:
            # The rows before damage are good.
            self._put(member, pa.array(numbers, pa.int64()), run)

    def _put(self, member: Member, first: int | pa.Array, listens: Sequence[Listen]) -> None:
        if not listens:
            return
        self._sink.listens(member, first, listen_table(listens, self._user))
        if self._wanted:
            self._look_up(listens)

    def _look_up(self, listens: Sequence[Listen]) -> None:
        for listen in listens:
            row = listen.track_metadata
            msid = row and (listen.recording_msid or row.recording_msid or row.info.recording_msid)
            if row is not None and msid in self._wanted:
                artist, title = row.artist, row.track_name
                track = values.mbid(row.recording) or (artist and title and named_id(title, artist))
                if track:
                    self.tracks[msid] = track


def _decoded(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, Any]]:
    """Yield (number, value) of every line that is not blank; the value is None where it is not JSON."""
    for number, line in lines:
        if line.strip():
            try:
                yield number, msgspec.json.decode(line)
            except DECODING_ERRORS:
                yield number, None


def _exported_user(source: Source) -> str | None:
    """Return the user of an export; None for other inputs."""
    for member in source.members:
        if member.relative.name == _ACCOUNT:
            try:
                return msgspec.json.decode(member.head, type=_Account).username
            except DECODING_ERRORS as error:
                raise InputError(f"does not name a user: {error}", path=member.name) from error
    return None


def _thumbs(source: Source, member: Member, sink: Sink) -> list[Feedback]:
    """Return the valid lines of ``feedback.jsonl``, and drop the others."""
    decoder = msgspec.json.Decoder(Feedback)
    thumbs: list[Feedback] = []
    for line, text in source.lines(member):
        try:
            if text.strip():
                thumbs.append(decoder.decode(text))
        except DECODING_ERRORS:
            sink.drop((member, line), "malformed", "not a JSON object with the columns of feedback")
    return thumbs
