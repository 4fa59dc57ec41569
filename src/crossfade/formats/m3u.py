"""M3U and M3U8 playlists: addresses of tracks, and in the extended form what they are.

    #EXTM3U
    #PLAYLIST:name
    #EXTINF:215,Artist - Title
    #EXTALB:Album
    music/track.flac

An entry's artist and title stand in its #EXTINF before and after the first " - "; #EXTART (or #EXTARTIST)
and #EXTALB, where written, say more. Without #EXTINF a file named "Artist - Title.mp3" (a track number
before it is passed over) says the same; an address that says neither is dropped, for guessing from folders
would invent artists. Playlists of pieces of one stream (#EXT-X-…) are not playlists of music.
"""

import re
from pathlib import PurePosixPath, PureWindowsPath
from urllib.parse import unquote

from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.playlist_entries import Entry, file_playlist_id, put_entry
from crossfade.formats.shapes import head_lines

_SUFFIXES = frozenset({".m3u", ".m3u8"})
# seconds, perhaps key="value" attributes, then what people read
_EXTINF = re.compile(r'#EXTINF:\s*(-?\d+(?:\.\d+)?)?(?:\s+[\w-]+="[^"]*")*\s*,(.*)', re.IGNORECASE)
# A number alone may belong to the artist (50 Cent), unless it begins with a zero.
_NUMBERED = re.compile(r"^(?:\d{1,3}\s*[.)_-]\s*|0\d\s+)(?=\S.* - )")


class M3u:
    """The playlist with its tracks, each of which counts as one play by the playlist."""

    name = "m3u"
    title = "M3U playlist"

    def recognise(self, member: Member) -> float:
        """1 by #EXTM3U; less by the name over lines that could be addresses."""
        lines = head_lines(member)
        if not lines or any(line.startswith("#EXT-X-") for line in lines) or "\0" in lines[0]:
            return 0.0
        if lines[0].upper().startswith("#EXTM3U"):
            return 1.0
        if any(_EXTINF.match(line) for line in lines):
            return 0.9
        return 0.8 if member.relative.suffix.lower() in _SUFFIXES else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """The tracks of each file; a row's number is its address's line."""
        for member in source.members:
            _read(source, member, sink)


def _read(source: Source, member: Member, sink: Sink) -> None:
    playlist_id = file_playlist_id("m3u", member)
    title = PurePosixPath(member.relative).stem
    said: dict[str, str] = {}
    position = 0
    for line, written in source.text_lines(member):
        row = written.strip()
        if row.startswith("#"):
            directive, _, value = row.partition(":")
            if directive.upper() == "#EXTINF":
                said["EXTINF"] = row
            elif directive.upper() == "#PLAYLIST" and not position:
                title = value.strip() or title
            else:
                said[directive.upper().removeprefix("#")] = value.strip()
        elif row:
            if not position:
                sink.playlist(playlist_id, title)
            put_entry(sink, (member, line), playlist_id, position, _entry(row, said))
            position += 1
            said = {}


def _entry(address: str, said: dict[str, str]) -> Entry:
    found = _EXTINF.fullmatch(said.get("EXTINF", ""))
    shown = found.group(2).strip() if found else ""
    seconds = found.group(1) if found else None
    named = said.get("EXTART") or said.get("EXTARTIST")
    artist, between, title = (shown or _file_name(address)).partition(" - ")
    if named:
        # The text after #EXTINF may be the title alone then.
        artist, title = named, title if between and artist.strip().casefold() == named.casefold() else shown
    elif not between:
        artist, title = "", artist
    return Entry(
        artist=values.text(artist),
        title=values.text(title),
        album=values.text(said.get("EXTALB")),
        track_ms=values.milliseconds(seconds, per_unit=1000),
    )


def _file_name(address: str) -> str:
    """The bare name of the file at ``address``, whichever system wrote it, without a track number before it."""
    path = unquote(address) if "://" in address else address
    name = PureWindowsPath(path) if "\\" in path else PurePosixPath(path)
    return _NUMBERED.sub("", name.stem, count=1)
