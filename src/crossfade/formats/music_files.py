"""A folder of music files: their tags make a catalogue, without any plays.

An item has the MusicBrainz id that its file is tagged with, else one made from names. Genres are tags of the tracks and
of their artists. A file without a title or an artist is in no catalogue, since a guess would invent artists.
"""

from crossfade.core.errors import InputError
from crossfade.core.names import named_id
from crossfade.formats.audio_tags import CONTENT_TYPES, Tags, read_tags
from crossfade.formats.contract import Member, Sink, Source

_STARTS = (b"ID3", b"fLaC", b"OggS", b"RIFF", b"FORM", b"MAC ", b"wvpk", b"MPCK", b"MP+", b"TTA", b"DSD ")
_FRAMES = (b"\xff\xfb", b"\xff\xfa", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"\xff\xf9", b"\x30\x26\xb2\x75")


class MusicFiles:
    """Every file is one track."""

    name = "music-files"
    title = "Folder of music files"

    def recognise(self, member: Member) -> float:
        """1 by the suffix over the first bytes of such a container."""
        if member.relative.suffix.lower() not in CONTENT_TYPES:
            return 0.0
        return 1.0 if member.head.startswith(_STARTS + _FRAMES) or member.head[4:8] == b"ftyp" else 0.2

    def read(self, source: Source, sink: Sink) -> None:
        """The names, albums and genres of all files; there are no rows."""
        for member in source.members:
            with source.open(member) as file:
                try:
                    tags = read_tags(file, member.name)
                except InputError as error:
                    sink.drop((member, 1), "malformed", str(error))
                    continue
            if tags.title and tags.artist:
                _put(sink, tags)
            else:
                sink.drop((member, 1), "incomplete", "the file is tagged without a title or an artist")


def track_id(tags: Tags) -> str:
    """Return the id that the catalogue has for the track of a file with a title and an artist."""
    return tags.recording or named_id(tags.title, tags.artist)


def artist_id(tags: Tags) -> str:
    """Return the id that the catalogue has for the artist of a file."""
    return tags.artist_mbid or named_id(tags.artist)


def _put(sink: Sink, tags: Tags) -> None:
    artist, track = artist_id(tags), track_id(tags)
    sink.item("artist", artist, tags.artist)
    sink.item(
        "track",
        track,
        tags.title,
        parent_id=artist,
        album=tags.album or None,
        duration_ms=tags.duration_ms or None,
        isrc=tags.isrc or None,
    )
    for genre in tags.genres:
        sink.tag("track", track, genre)
        sink.tag("artist", artist, genre)
