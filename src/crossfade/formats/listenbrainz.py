"""ListenBrainz listens as JSON: dumps, user exports, and pages of its API.

A listen is one object: ``track_metadata`` with names and what the player sent (``additional_info``), the time as
``listened_at`` or ``timestamp``, and the identifiers that ListenBrainz found (``mbid_mapping``), which come before
those that the player sent. Dumps and exports have one a line; a page of the API has a list of them below
``payload``. An export (``user.json``, ``listens/<year>/<month>.jsonl``, ``feedback.jsonl``) names its user once, and a
thumb in it may name its track only by ListenBrainz's own identifier of the names, which is looked up in the
listens beside it.

Whole blocks of lines are decoded at once, straight into typed rows; a block with a bad line is decoded again
line by line, so that a bad line costs itself.
"""

import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from crossfade.core.errors import InputError
from crossfade.core.schemas import named_track
from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.json_records import json_records
from crossfade.formats.listenbrainz_rows import DECODING_ERRORS, Feedback, Listen, ListenColumns, Rows

_LISTEN_MARKS = (b'"track_metadata"', b'"artist_name"')
_ACCOUNT = "user.json"
_FEEDBACK = "feedback.jsonl"
_PAGE = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"payload"\s*:\s*\{')
_RUN = 10_000  # rows that were decoded one by one, handed on at once


class _Account(msgspec.Struct):
    """``user.json`` of an export."""

    username: str


class ListenBrainz:
    """Dumps, user exports and API pages."""

    name = "listenbrainz"
    title = "ListenBrainz listens (dump, export or API, JSON)"

    def recognise(self, member: Member) -> float:
        """Sure when rows have ListenBrainz's nested columns; a user export's other files go by name and content."""
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
        """Feedback first, to know which tracks have to be found in the listens; it is handed on last."""
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
            # What was found before damage is as good as if it had not come.
            for thumb in thumbs:
                track = values.mbid(thumb.recording_mbid) or reading.tracks.get(thumb.recording_msid or "")
                if track is not None:
                    sink.feedback(user, track, thumb.score, thumb.created)


class _Reading:
    """One pass over the listens of an input.

    tracks  the track of every recording MSID in ``wanted`` that was met
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
                self._hand_on(member, first, listens)
            else:
                lines = block.removeprefix(BOM_UTF8 if first == 1 else b"").removesuffix(b"\n").split(b"\n")
                self._one_by_one(member, _decoded(enumerate(lines, start=first)))

    def _one_by_one(self, member: Member, rows: Iterable[tuple[int, Any]]) -> None:
        """Rows that are not all known to be sound; runs of sound ones are still handed on together."""
        run: list[Listen] = []
        first = 1
        try:
            for number, row in rows:
                listen = self._rows.one(row)
                if listen is None or number != first + len(run) or len(run) == _RUN:
                    self._hand_on(member, first, run)
                    run, first = [], number
                if listen is not None:
                    run.append(listen)
                else:
                    self._sink.drop((member, number), "malformed", "not a JSON object with ListenBrainz's columns")
        except InputError:
            # The file is damaged further on.
            self._hand_on(member, first, run)
            raise
        self._hand_on(member, first, run)

    def _hand_on(self, member: Member, first: int, listens: Sequence[Listen]) -> None:
        if not listens:
            return
        columns = ListenColumns(self._user)
        columns.extend(listens)
        self._sink.listens(member, first, columns.table())
        if self._wanted:
            self._look_up(listens)

    def _look_up(self, listens: Sequence[Listen]) -> None:
        for listen in listens:
            said = listen.track_metadata
            msid = said and (listen.recording_msid or said.recording_msid or said.info.recording_msid)
            if said is not None and msid in self._wanted:
                artist, title = said.artist, said.track_name
                track = values.mbid(said.recording) or (artist and title and named_track(artist, title))
                if track:
                    self.tracks[msid] = track


def _decoded(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, Any]]:
    """(number, value) of every line that is not blank; None for one that is not JSON."""
    for number, line in lines:
        if line.strip():
            try:
                yield number, msgspec.json.decode(line)
            except DECODING_ERRORS:
                yield number, None


def _exported_user(source: Source) -> str | None:
    """Whose export it is; None if it is none."""
    for member in source.members:
        if member.relative.name == _ACCOUNT:
            try:
                return msgspec.json.decode(member.head, type=_Account).username
            except DECODING_ERRORS as error:
                raise InputError(f"does not name a user: {error}", path=member.name) from error
    return None


def _thumbs(source: Source, member: Member, sink: Sink) -> list[Feedback]:
    """Every sound line of ``feedback.jsonl``; the others are dropped as rows."""
    decoder = msgspec.json.Decoder(Feedback)
    thumbs: list[Feedback] = []
    for line, text in source.lines(member):
        try:
            if text.strip():
                thumbs.append(decoder.decode(text))
        except DECODING_ERRORS:
            sink.drop((member, line), "malformed", "not a JSON object with the columns of feedback")
    return thumbs
