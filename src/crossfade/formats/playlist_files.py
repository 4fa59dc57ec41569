"""Playlists as files: JSPF, XSPF and M3U, written and read.

What is read is read by the importers of these formats (`jspf.py`, `xspf.py`, `m3u.py`), so that a playlist that is sent
to the server is understood, limited and refused like one that is imported.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast
from urllib.parse import quote
from xml.etree import ElementTree  # only writes

from crossfade.core.errors import InputError
from crossfade.core.names import NAMED
from crossfade.formats import values
from crossfade.formats.contract import DEFAULT_KIND, Format, Place, Sink
from crossfade.formats.jspf import Jspf
from crossfade.formats.m3u import M3u
from crossfade.formats.memory import MemoryFiles
from crossfade.formats.xspf import Xspf
from crossfade.stores.live import LONGEST_NAME, LONGEST_PLAYLIST, ItemRef, Playlist, Track

TYPES = {
    "jspf": "application/jspf+json",
    "xspf": "application/xspf+xml",
    "m3u": "audio/x-mpegurl",
}
"""The formats, and their media types."""

PLAYLIST_EXTENSION = "https://musicbrainz.org/doc/jspf#playlist"
TRACK_EXTENSION = "https://musicbrainz.org/doc/jspf#track"

_FORMATS: tuple[Format, ...] = (Jspf(), Xspf(), M3u())
_RECORDING, _ARTIST = "https://musicbrainz.org/recording/", "https://musicbrainz.org/artist/"


class ReadPlaylist(NamedTuple):
    """A playlist of a file.

    dropped  entries that say neither which recording they are nor artist and title
    """

    title: str
    tracks: tuple[Track, ...]
    dropped: int


def as_file(playlist: Playlist, form: str, base: str) -> str:
    """Return ``playlist`` as a file of one of the `TYPES`; ``base`` is the address of the server that it is from."""
    if form == "jspf":
        return json.dumps(as_jspf(playlist, base), ensure_ascii=False)
    return as_xspf(playlist, base) if form == "xspf" else as_m3u(playlist)


def as_jspf(playlist: Playlist, base: str) -> dict[str, Any]:
    """Return ``playlist`` as JSPF, as ListenBrainz writes it; its identifier is ``base``/playlist/<id>."""
    algorithm = (
        {"additional_metadata": {"algorithm_metadata": {"source_patch": playlist.sort}}} if playlist.sort else {}
    )
    extension = {
        "creator": playlist.user,
        "created_for": playlist.user,
        "public": playlist.public,
        "last_modified_at": _date(playlist.changed_at),
        **algorithm,
    }
    return {
        "playlist": {
            "title": playlist.title,
            "creator": playlist.user,
            "identifier": f"{base}/playlist/{quote(playlist.id, safe='')}",
            "date": _date(playlist.created_at),
            "annotation": playlist.comment,
            "extension": {PLAYLIST_EXTENSION: extension},
            "track": [_jspf_track(track, playlist) for track in playlist.tracks],
        }
    }


def as_xspf(playlist: Playlist, base: str) -> str:
    """Return ``playlist`` as XSPF; its identifier as in `as_jspf`."""
    root = ElementTree.Element("playlist", {"version": "1", "xmlns": "http://xspf.org/ns/0/"})
    _elements(
        root,
        title=playlist.title,
        creator=playlist.user,
        annotation=playlist.comment,
        identifier=f"{base}/playlist/{quote(playlist.id, safe='')}",
        date=_date(playlist.created_at),
    )
    listed = ElementTree.SubElement(root, "trackList")
    for track in playlist.tracks:
        _elements(
            ElementTree.SubElement(listed, "track"),
            identifier=_RECORDING + track.mbid if track.mbid else None,
            title=track.title,
            creator=track.artist,
            album=track.album,
            duration=str(track.duration_ms) if track.duration_ms else None,
        )
    text: str = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def as_m3u(playlist: Playlist) -> str:
    """Return ``playlist`` as extended M3U. Addresses are those of MusicBrainz, or names that a file could have."""
    lines = ["#EXTM3U", f"#PLAYLIST:{_line(playlist.title)}"]
    for track in playlist.tracks:
        artist, title = _line(track.artist or ""), _line(track.title or "")
        seconds = round(track.duration_ms / 1000) if track.duration_ms else -1
        # The text is split at its first dash, which must not be one of the artist's.
        lines.append(f"#EXTINF:{seconds},{title}" if " - " in artist else f"#EXTINF:{seconds},{artist} - {title}")
        lines.append(f"#EXTART:{artist}")
        if track.album:
            lines.append(f"#EXTALB:{_line(track.album)}")
        lines.append(_RECORDING + track.mbid if track.mbid else f"{quote(f'{artist} - {title}', safe=' ')}.mp3")
    return "\n".join(lines) + "\n"


def read_playlist(content: bytes) -> ReadPlaylist:
    """Return the playlist in ``content``, in whichever of the formats it is.

    Raises InputError for anything else, for several playlists, and for more than `LONGEST_PLAYLIST` tracks.
    """
    source = MemoryFiles({_NAMELESS: content})
    member = source.members[0]
    format_ = max(_FORMATS, key=lambda one: one.recognise(member))
    if not format_.recognise(member):
        raise InputError("This is not a playlist in JSPF, XSPF or M3U.")
    taken = _Taken()
    try:
        format_.read(source, cast(Sink, taken))
    except InputError as error:
        # It names a file, and there is none.
        raise InputError(str(error)) from error
    if not taken.titles:
        raise InputError("There is no playlist in this file.")
    if len(taken.titles) > 1:
        raise InputError("There is more than one playlist in this file. Send each by itself.")
    title = next(iter(taken.titles.values()))
    return ReadPlaylist("" if title == _NAMELESS else title[:LONGEST_NAME], taken.tracks(), taken.dropped)


_NAMELESS = "playlist"


@dataclass
class _Taken:
    """The playlists that a format hands over; of the rest of a sink they use nothing."""

    titles: dict[str, str] = field(default_factory=dict)
    names: dict[tuple[str, str], tuple[str, str | None, dict[str, Any]]] = field(default_factory=dict)
    entries: list[tuple[str, str | None]] = field(default_factory=list)
    dropped: int = 0

    def playlist(self, playlist_id: str, title: str, **_: object) -> None:
        self.titles[playlist_id] = title

    def item(self, kind: str, item_id: str, name: str, *, parent_id: str | None = None, **fields: Any) -> None:
        self.names[kind, item_id] = (name, parent_id, fields)

    def playlist_item(self, place: Place, playlist_id: str, position: int, item_id: str, parent_id: str | None) -> None:
        if len(self.entries) >= LONGEST_PLAYLIST:
            raise InputError(f"A playlist has at most {LONGEST_PLAYLIST:,} tracks.")
        self.entries.append((item_id, parent_id))

    def drop(self, place: Place, reason: str, why: str) -> None:
        self.dropped += 1

    def tracks(self) -> tuple[Track, ...]:
        """Return the entries with their names."""
        tracks = []
        for item_id, parent_id in self.entries:
            title, parent_id, fields = self.names.get((DEFAULT_KIND, item_id), (None, parent_id, {}))
            artist = _name(self.names.get(("artist", parent_id or ""), (None, None, {}))[0])
            is_recording = values.mbid(item_id) is not None
            if not artist and not is_recording:
                self.dropped += 1
                continue
            album = fields.get("album")
            tracks.append(
                Track(
                    # An id that only stands for the names is none; what has no names is known by its id alone.
                    item=None if artist or item_id.startswith(NAMED) else ItemRef(DEFAULT_KIND, item_id),
                    title=_name(title),
                    artist=artist,
                    album=_name(album),
                    mbid=item_id if is_recording else None,
                    artist_mbids=(parent_id,) if parent_id and values.mbid(parent_id) else (),
                    duration_ms=fields.get("duration_ms"),
                )
            )
        return tuple(tracks)


def _jspf_track(track: Track, playlist: Playlist) -> dict[str, Any]:
    extension = {
        "added_at": _date(playlist.changed_at),
        "added_by": playlist.user,
        "artist_identifiers": [_ARTIST + mbid for mbid in track.artist_mbids],
    }
    described = {
        "identifier": [_RECORDING + track.mbid] if track.mbid else [],
        "title": track.title or "",
        "creator": track.artist or "",
        "extension": {TRACK_EXTENSION: extension},
    }
    described |= {"album": track.album} if track.album else {}
    return described | ({"duration": track.duration_ms} if track.duration_ms else {})


def _elements(parent: ElementTree.Element, **texts: str | None) -> None:
    """Add an element for each text that there is, without what XML cannot contain."""
    for name, text in texts.items():
        if text:
            kept = "".join(letter for letter in text if letter in "\t\n\r" or (letter >= " " and letter not in _NO_XML))
            ElementTree.SubElement(parent, name).text = kept


_NO_XML = frozenset({"\ufffe", "\uffff"})


def _line(text: str) -> str:
    """Return ``text`` on one line, so that no name can add a line of its own."""
    return " ".join(text.split())


def _name(text: object) -> str | None:
    return text[:LONGEST_NAME].replace("\x00", "") or None if isinstance(text, str) else None


def _date(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds")
