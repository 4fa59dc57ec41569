"""XSPF playlists: the XML that JSPF is the JSON of.

    <playlist version="1" xmlns="http://xspf.org/ns/0/"><title/><creator/><identifier/><trackList>
        <track><identifier/><title/><creator/><album/><duration/></track> … </trackList></playlist>

A document type is refused: no player writes one, and it is where XML keeps its bombs and its way out of the
file. https://www.xspf.org/spec
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO
from xml.parsers import expat

from crossfade.core.errors import InputError
from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.playlist_entries import Entry, file_playlist_id, put_entry
from crossfade.formats.shapes import head_text

_PLAYLIST = re.compile(r"<(?:\w+:)?playlist\b[^>]*(?:xspf\.org/ns/0|version)")
_NAMESPACES = ("http://xspf.org/ns/0/", "")
# Between a namespace and a name in what the parser gives; no address has it.
_BETWEEN = " "
_CHUNK = 64 << 10

_OF_PLAYLIST = frozenset({"title", "creator", "identifier"})
_OF_TRACK = frozenset({"title", "creator", "album", "duration", "identifier"})


class Xspf:
    """The playlist with its tracks, each of which counts as one play by the playlist."""

    name = "xspf"
    title = "XSPF playlist"

    def recognise(self, member: Member) -> float:
        """By its outermost element."""
        head = head_text(member)
        if not head.lstrip().startswith("<") or not _PLAYLIST.search(head):
            return 0.0
        return 1.0 if "xspf.org/ns/0" in head else 0.8

    def read(self, source: Source, sink: Sink) -> None:
        """The tracks of each file; a row's number is its line."""
        for member in source.members:
            parsed = _Parsed(member)
            playlist_id = ""
            with source.open(member) as file:
                for position, (line, track) in enumerate(parsed.tracks(file)):
                    if not position:
                        playlist_id = _put_playlist(sink, member, parsed)
                    put_entry(sink, (member, line), playlist_id, position, _entry(track))


def _put_playlist(sink: Sink, member: Member, parsed: "_Parsed") -> str:
    playlist_id = next(iter(parsed.playlist.get("identifier", [])), file_playlist_id("xspf", member))
    sink.playlist(
        playlist_id,
        next(iter(parsed.playlist.get("title", [])), PurePosixPath(member.relative).stem),
        owner=next(iter(parsed.playlist.get("creator", [])), None),
    )
    return playlist_id


def _entry(track: dict[str, list[str]]) -> Entry:
    return Entry(
        artist=next(iter(track.get("creator", [])), None),
        title=next(iter(track.get("title", [])), None),
        album=next(iter(track.get("album", [])), None),
        track_ms=values.milliseconds(next(iter(track.get("duration", [])), None)),
        track_id=next(filter(None, map(values.recording_in, track.get("identifier", []))), None),
    )


class _Parsed:
    """One file as it is parsed: what it has said of its playlist so far, and its tracks."""

    def __init__(self, member: Member) -> None:
        self.playlist: dict[str, list[str]] = {}
        self._name = member.name
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._track: dict[str, list[str]] = {}
        self._begun = 0
        self._ready: list[tuple[int, dict[str, list[str]]]] = []
        self._parser = expat.ParserCreate(namespace_separator=_BETWEEN)
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._read

    def tracks(self, file: IO[bytes]) -> Iterator[tuple[int, dict[str, list[str]]]]:
        """(line, element → its texts) of each track, as soon as it ends."""
        read = getattr(file, "read1", file.read)
        ended = False
        while not ended:
            piece = read(_CHUNK)
            ended = not piece
            failure: InputError | None = None
            try:
                self._parser.Parse(piece, ended)
            except (expat.ExpatError, LookupError, ValueError) as error:
                # Besides its own errors, the parser raises what comes of an encoding that nobody knows.
                line = error.lineno if isinstance(error, expat.ExpatError) else self._parser.CurrentLineNumber
                failure = InputError(f"is not sound XML: {error}", path=self._name, line=line)
                failure.__cause__ = error
            yield from self._ready
            self._ready.clear()
            if failure is not None:
                raise failure

    def _refuse(self, *_: object) -> None:
        raise InputError(
            "has a document type (<!DOCTYPE …>), which playlists have no use for and which can make a file expand or "
            "reach outside of itself. Remove it by hand if you trust the file.",
            path=self._name,
            line=self._parser.CurrentLineNumber,
        )

    def _begin(self, element: str, attributes: dict[str, str]) -> None:
        namespace, _, local = element.rpartition(_BETWEEN)
        self._path.append(local if namespace in _NAMESPACES else "")
        if self._path == ["playlist", "trackList", "track"]:
            self._track, self._begun = {}, self._parser.CurrentLineNumber
        elif self._wanted() is not None:
            self._text = []

    def _end(self, _: str) -> None:
        wanted = self._wanted()
        if wanted is not None and self._text is not None:
            if said := values.text("".join(self._text)):
                wanted.setdefault(self._path[-1], []).append(said)
            self._text = None
        elif self._path == ["playlist", "trackList", "track"]:
            self._ready.append((self._begun, self._track))
        self._path.pop()

    def _read(self, characters: str) -> None:
        if self._text is not None:
            self._text.append(characters)

    def _wanted(self) -> dict[str, list[str]] | None:
        """Where the text of the present element belongs."""
        match self._path:
            case ["playlist", name] if name in _OF_PLAYLIST:
                return self.playlist
            case ["playlist", "trackList", "track", name] if name in _OF_TRACK:
                return self._track
        return None
