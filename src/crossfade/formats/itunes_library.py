"""The library of iTunes and Apple's Music app as XML ("iTunes Music Library.xml", "Library.xml"), a property list.

    <plist version="1.0"><dict>
      <key>Tracks</key><dict>
        <key>1001</key><dict><key>Track ID</key><integer>1001</integer><key>Name</key><string>…</string>
          <key>Artist</key>… <key>Album</key>… <key>Total Time</key> (ms) <key>Play Count</key>…
          <key>Loved</key><true/> …</dict> …</dict>
      <key>Playlists</key><array>
        <dict><key>Name</key>… <key>Playlist Persistent ID</key>…
          <key>Playlist Items</key><array><dict><key>Track ID</key><integer>1001</integer></dict> …</array></dict> …
      </array></dict></plist>

A track with plays is one row: the library counts plays and knows the time of the last one alone. Podcasts, films,
audiobooks and the like are not music. Lists that the app makes (the library, Purchased, folders, smart playlists) are
left out. Identifiers are those of one library only, so the ids of tracks are made from their names.
"""

import re
from typing import Any

from crossfade.core.names import named_id
from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.playlist_entries import file_playlist_id
from crossfade.formats.shapes import head_text
from crossfade.formats.xml_elements import Elements

_PLIST = re.compile(r"<plist\b")
_KEYS = re.compile(r"<key>(?:Library Persistent ID|Tracks|Music Folder)</key>")
_SCALARS = frozenset({"string", "integer", "real", "date", "data", "true", "false"})
_UNWANTED = ("Podcast", "Movie", "TV Show", "Music Video", "Has Video", "iTunesU", "Audiobook")
_MADE_BY_THE_APP = ("Master", "Distinguished Kind", "Folder", "Smart Info", "Smart Criteria")
_OF_TRACK = ("Track ID", "Name", "Artist", "Album", "Total Time", "Play Count", "Loved", "Favorited")
_OF_PLAYLIST = ("Name", "Playlist Persistent ID", "Playlist Items")
_WANTED = frozenset({*_UNWANTED, *_MADE_BY_THE_APP, *_OF_TRACK, *_OF_PLAYLIST})

Dict = dict[str, Any]


class ItunesLibrary:
    """Counts and thumbs of the default user, and playlists."""

    name = "itunes-library"
    title = "iTunes or Apple Music library, XML"

    def recognise(self, member: Member) -> float:
        """1 for a property list with the keys of a library."""
        head = head_text(member)
        if not head.lstrip().startswith("<") or not _PLIST.search(head):
            return 0.0
        return 1.0 if len(_KEYS.findall(head)) >= 2 else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One count a track with plays, one item an entry of a playlist; the number of a row is its line."""
        for member in source.members:
            library = _Library(sink, member)
            with source.open(member) as file:
                for line, track, playlist in _Plist(member.name).read(file):
                    if playlist is None:
                        library.put_track(line, track)
                    else:
                        library.put_entry(line, track, playlist)


class _Library:
    """What one library has told so far: the ids of its tracks, and its playlist."""

    def __init__(self, sink: Sink, member: Member) -> None:
        self._sink = sink
        self._member = member
        self._tracks: dict[str, tuple[str, str]] = {}  # (track, artist) by the library's number
        self._playlist: Dict | None = None
        self._playlist_id = ""
        self._position = 0

    def put_track(self, line: int, track: Dict) -> None:
        """Take a track: its names, and its plays and thumb if it has some."""
        sink, place = self._sink, (self._member, line)
        plays = values.number(track.get("Play Count"))
        artist, title = values.text(track.get("Artist")), values.text(track.get("Name"))
        if any(track.get(kind) for kind in _UNWANTED):
            if plays:
                sink.drop(place, "unsupported", "a podcast, a film, an audiobook or another file that is not music")
            return
        if not artist or not title:
            if plays:
                sink.drop(place, "incomplete", f"the {'track' if artist else 'artist'} is missing")
            return
        track_id, artist_id = named_id(title, artist), named_id(artist)
        self._tracks[str(track.get("Track ID"))] = track_id, artist_id
        sink.item("artist", artist_id, artist)
        album, length = values.text(track.get("Album")), values.milliseconds(track.get("Total Time"))
        sink.item("track", track_id, title, parent_id=artist_id, album=album, duration_ms=length)
        if plays:
            user = sink.default_user
            sink.count(place, user_id=user, plays=plays, kind="track", item_id=track_id, parent_id=artist_id)
        if track.get("Loved") or track.get("Favorited"):
            sink.feedback(None, track_id, 1)

    def put_entry(self, line: int, entry: Dict, playlist: Dict) -> None:
        """Take an entry of a playlist that people made."""
        if any(playlist.get(kind) for kind in _MADE_BY_THE_APP):
            return
        if playlist is not self._playlist:
            self._playlist, self._position = playlist, 0
            own = values.text(playlist.get("Playlist Persistent ID"))
            self._playlist_id = f"itunes:{own}" if own else f"{file_playlist_id('itunes', self._member)}:{line}"
            self._sink.playlist(self._playlist_id, values.text(playlist.get("Name")) or "")
        track_id, artist_id = self._tracks.get(str(entry.get("Track ID")), (None, None))
        if track_id is None:
            self._sink.drop((self._member, line), "incomplete", "an entry names no track of the library")
            return
        self._sink.playlist_item((self._member, line), self._playlist_id, self._position, track_id, artist_id)
        self._position += 1


class _Plist(Elements[tuple[int, Dict, Dict | None]]):
    """Finds (line, track, None) for each track, and (line, entry, its playlist so far) for each entry of a playlist.

    ``_open`` are the dictionaries and arrays around the current position: the library, its tracks or playlists, one of
    these, and in a playlist its entries and one of them. None of them is kept by the one around it.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name, document_type=True)
        self._open: list[tuple[Dict, int]] = []
        self._keys: list[str] = []

    def begin(self, attributes: dict[str, str]) -> bool:
        """Want keys, and the values of the keys that are used."""
        kind = self.path[-1]
        if kind in ("dict", "array"):
            self._open.append(({}, self.line))
            self._keys.append("")
            return False
        return kind == "key" or (kind in _SCALARS and bool(self._keys) and self._keys[-1] in _WANTED)

    def end(self, text: str | None) -> None:
        """Keep a value, or hand over a track or an entry."""
        kind = self.path[-1]
        if kind == "key" and self._keys:
            self._keys[-1] = text or ""
        elif kind in _SCALARS and text is not None and self._open:
            self._open[-1][0][self._keys[-1]] = True if kind == "true" else None if kind == "false" else text
        elif kind in ("dict", "array") and self._open:
            ended, line = self._open.pop()
            self._keys.pop()
            match self._keys:
                case ["Tracks", _] if kind == "dict":
                    self.found.append((line, ended, None))
                case ["Playlists", "", "Playlist Items", ""] if kind == "dict":
                    self.found.append((line, ended, self._open[2][0]))
