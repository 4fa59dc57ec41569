"""XSPF playlists: the XML form of JSPF.

    <playlist version="1" xmlns="http://xspf.org/ns/0/"><title/><creator/><identifier/><trackList>
        <track><identifier/><title/><creator/><album/><duration/></track> … </trackList></playlist>

A document type is refused: no player writes one, and it can make a file expand or read other files.
https://www.xspf.org/spec
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO
from xml.parsers import expat

from crossfade.core.errors import InputError
from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.playlist_entries import file_playlist_id, put_entry
from crossfade.formats.shapes import head_text

_PLAYLIST = re.compile(r"<(?:\w+:)?playlist\b[^>]*(?:xspf\.org/ns/0|version)")
_NAMESPACES = ("http://xspf.org/ns/0/", "")
# The parser puts it between a namespace and a name; no address contains it.
_BETWEEN = " "
_CHUNK = 64 << 10

_OF_PLAYLIST = frozenset({"title", "creator", "identifier"})
_OF_TRACK = frozenset({"title", "creator", "album", "duration", "identifier"})


class Xspf:
    """Every file is one playlist with its tracks."""

    name = "xspf"
    title = "XSPF playlist"

    def recognise(self, member: Member) -> float:
        """1 by its outermost element and namespace."""
        head = head_text(member)
        if not head.lstrip().startswith("<") or not _PLAYLIST.search(head):
            return 0.0
        return 1.0 if "xspf.org/ns/0" in head else 0.8

    def read(self, source: Source, sink: Sink) -> None:
        """The tracks of each file; the number of a row is its line."""
        for member in source.members:
            parsed = _Parsed(member)
            playlist_id = ""
            with source.open(member) as file:
                for position, (line, track) in enumerate(parsed.tracks(file)):
                    if not position:
                        playlist_id = _put_playlist(sink, member, parsed.playlist)
                    put_entry(
                        sink,
                        (member, line),
                        playlist_id,
                        position,
                        artist=_first(track, "creator"),
                        title=_first(track, "title"),
                        track_id=next(filter(None, map(values.recording_in, track.get("identifier", []))), None),
                        album=_first(track, "album"),
                        duration_ms=values.milliseconds(_first(track, "duration")),
                    )


Texts = dict[str, list[str]]
"""The texts of an element's children, by their names."""


def _first(texts: Texts, name: str) -> str | None:
    return next(iter(texts.get(name, [])), None)


def _put_playlist(sink: Sink, member: Member, playlist: Texts) -> str:
    playlist_id = _first(playlist, "identifier") or file_playlist_id("xspf", member)
    title = _first(playlist, "title") or PurePosixPath(member.relative).stem
    sink.playlist(playlist_id, title, owner=_first(playlist, "creator"))
    return playlist_id


class _Parsed:
    """The parser of one file: its playlist as far as it has been read, and its tracks."""

    def __init__(self, member: Member) -> None:
        self.playlist: Texts = {}
        self._name = member.name
        self._path: list[str] = []
        self._text: list[str] | None = None
        self._track: Texts = {}
        self._begun = 0
        self._ready: list[tuple[int, Texts]] = []
        self._parser = expat.ParserCreate(namespace_separator=_BETWEEN)
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.StartElementHandler = self._begin
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._read

    def tracks(self, file: IO[bytes]) -> Iterator[tuple[int, Texts]]:
        """Yield (line, texts) of each track, as soon as it ends."""
        read = getattr(file, "read1", file.read)
        ended = False
        while not ended:
            piece = read(_CHUNK)
            ended = not piece
            failure: InputError | None = None
            try:
                self._parser.Parse(piece, ended)
            except (expat.ExpatError, LookupError, ValueError) as error:
                # Besides its own errors, the parser raises those of an unknown encoding.
                line = error.lineno if isinstance(error, expat.ExpatError) else self._parser.CurrentLineNumber
                failure = InputError(f"is not valid XML: {error}", path=self._name, line=line)
                failure.__cause__ = error
            yield from self._ready
            self._ready.clear()
            if failure is not None:
                raise failure

    def _refuse(self, *_: object) -> None:
        raise InputError(
            "has a document type (<!DOCTYPE …>), which no playlist needs and which can make a file expand or read "
            "other files. Remove it by hand if you trust the file.",
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
            if text := values.text("".join(self._text)):
                wanted.setdefault(self._path[-1], []).append(text)
            self._text = None
        elif self._path == ["playlist", "trackList", "track"]:
            self._ready.append((self._begun, self._track))
        self._path.pop()

    def _read(self, characters: str) -> None:
        if self._text is not None:
            self._text.append(characters)

    def _wanted(self) -> Texts | None:
        """Return the texts that the current element belongs to; None if it is not used."""
        match self._path:
            case ["playlist", name] if name in _OF_PLAYLIST:
                return self.playlist
            case ["playlist", "trackList", "track", name] if name in _OF_TRACK:
                return self._track
        return None
