"""M3U and M3U8 playlists: addresses of tracks, and in the extended form their names.

    #EXTM3U
    #PLAYLIST:name
    #EXTINF:215,Artist - Title
    #EXTALB:Album
    music/track.flac

Artist and title stand in an entry's #EXTINF before and after the first " - "; #EXTART (or #EXTARTIST) and #EXTALB take
precedence. Without #EXTINF they are taken from a file called "Artist - Title.mp3", after any track number; another
address is dropped, since guessing from folders would invent artists. Playlists of the parts of one stream (#EXT-X-…)
are not playlists of music.
"""

import re
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import unquote

from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.playlist_entries import file_playlist_id, put_entry
from crossfade.formats.shapes import head_lines

_SUFFIXES = frozenset({".m3u", ".m3u8"})
# seconds, perhaps key="value" attributes, then the text for people; possessive, so that a bad line fails at once
_EXTINF = re.compile(r'#EXTINF:\s*+(-?\d++(?:\.\d++)?)?(?:\s+[\w-]++="[^"]*+")*\s*+,(.*)', re.IGNORECASE)
# A number alone may belong to the artist (50 Cent), unless it begins with a zero.
_NUMBERED = re.compile(r"^(?:\d{1,3}\s*[.)_-]\s*|0\d\s+)(?=\S.* - )")


class M3u:
    """Every file is one playlist with its tracks."""

    name = "m3u"
    title = "M3U playlist"

    def recognise(self, member: Member) -> float:
        """1 by #EXTM3U; less by the file name over lines that could be addresses."""
        lines = head_lines(member)
        if not lines or any(line.startswith("#EXT-X-") for line in lines) or "\0" in lines[0]:
            return 0.0
        if lines[0].upper().startswith("#EXTM3U"):
            return 1.0
        if any(_EXTINF.match(line) for line in lines):
            return 0.9
        return 0.8 if member.relative.suffix.lower() in _SUFFIXES else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """The tracks of each file; the number of a row is that of its address's line."""
        for member in source.members:
            _read(source, member, sink)


def _read(source: Source, member: Member, sink: Sink) -> None:
    playlist_id = file_playlist_id("m3u", member)
    title = PurePosixPath(member.relative).stem
    directives: dict[str, str] = {}
    position = 0
    for line, text in source.text_lines(member):
        row = text.strip()
        if row.startswith("#"):
            directive, _, value = row.partition(":")
            if directive.upper() == "#EXTINF":
                directives["EXTINF"] = row
            elif directive.upper() == "#PLAYLIST" and not position:
                title = value.strip() or title
            else:
                directives[directive.upper().removeprefix("#")] = value.strip()
        elif row:
            if not position:
                sink.playlist(playlist_id, title)
            put_entry(sink, (member, line), playlist_id, position, **_described(row, directives))
            position += 1
            directives = {}


def _described(address: str, directives: dict[str, str]) -> dict[str, Any]:
    """Return the arguments of `put_entry` for the track at ``address``."""
    extinf = _EXTINF.fullmatch(directives.get("EXTINF", ""))
    text = extinf.group(2).strip() if extinf else ""
    artist, dash, title = (text or _file_name(address)).partition(" - ")
    if named := directives.get("EXTART") or directives.get("EXTARTIST"):
        # The text of #EXTINF may be the title alone then.
        artist, title = named, title if dash and artist.strip().casefold() == named.casefold() else text
    elif not dash:
        artist, title = "", artist
    return {
        "artist": values.text(artist),
        "title": values.text(title),
        "album": values.text(directives.get("EXTALB")),
        "duration_ms": values.milliseconds(extinf.group(1) if extinf else None, per_unit=1000),
    }


def _file_name(address: str) -> str:
    """Return the bare name of a file on any system, without a track number at its beginning."""
    path = unquote(address) if "://" in address else address
    name = PureWindowsPath(path) if "\\" in path else PurePosixPath(path)
    return _NUMBERED.sub("", name.stem, count=1)
