"""XSPF playlists: the XML form of JSPF.

    <playlist version="1" xmlns="http://xspf.org/ns/0/"><title/><creator/><identifier/><trackList>
        <track><identifier/><title/><creator/><album/><duration/></track> … </trackList></playlist>

A document type is refused: no player writes one, and it can make a file expand or read other files.
https://www.xspf.org/spec
"""

import re
from pathlib import PurePosixPath

from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.playlist_entries import file_playlist_id, put_entry
from crossfade.formats.shapes import head_text
from crossfade.formats.xml_elements import Elements

_PLAYLIST = re.compile(r"<(?:\w+:)?playlist\b[^<>]*(?:xspf\.org/ns/0|version)")
_NAMESPACES = ("http://xspf.org/ns/0/", "")
_TRACK = ["playlist", "trackList", "track"]
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
            parsed = _Playlist(member.name)
            playlist_id = ""
            with source.open(member) as file:
                for position, (line, track) in enumerate(parsed.read(file)):
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


class _Playlist(Elements[tuple[int, Texts]]):
    """The playlist as far as it has been read; finds (line, texts) of each track."""

    def __init__(self, name: str) -> None:
        super().__init__(name, _NAMESPACES)
        self.playlist: Texts = {}
        self._track: Texts = {}
        self._begun = 0

    def begin(self, attributes: dict[str, str]) -> bool:
        """Want the texts of the playlist and its tracks."""
        if self.path == _TRACK:
            self._track, self._begun = {}, self.line
        return self._texts() is not None

    def end(self, text: str | None) -> None:
        """Keep the text, or the track."""
        texts = self._texts()
        if texts is not None and (value := values.text(text)):
            texts.setdefault(self.path[-1], []).append(value)
        elif self.path == _TRACK:
            self.found.append((self._begun, self._track))

    def _texts(self) -> Texts | None:
        """Return the texts that the current element belongs to; None if it is not used."""
        match self.path:
            case ["playlist", name] if name in _OF_PLAYLIST:
                return self.playlist
            case ["playlist", "trackList", "track", name] if name in _OF_TRACK:
                return self._track
        return None
