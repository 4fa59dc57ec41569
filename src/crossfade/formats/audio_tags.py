"""The tags of one music file, whatever its container: read by mutagen, which never decodes the audio."""

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import IO, Any

import msgspec

from crossfade.core.errors import InputError, MissingExtraError

CONTENT_TYPES = {
    ".mp3": "audio/mpeg",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/ogg",
    ".m4a": "audio/mp4",
    ".m4b": "audio/mp4",
    ".mp4": "audio/mp4",
    ".aac": "audio/aac",
    ".wav": "audio/wav",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".wma": "audio/x-ms-wma",
    ".wv": "audio/x-wavpack",
    ".ape": "audio/x-ape",
    ".mpc": "audio/x-musepack",
    ".tta": "audio/x-tta",
    ".dsf": "audio/x-dsf",
}
"""What music files are sent as, by their suffix; files with other suffixes are not music."""

LONGEST_TEXT = 1_000  # letters of a tag; longer ones are cut
LARGEST_COVER = 20_000_000  # bytes of a picture inside a file; larger ones are not shown
MOST_GENRES = 20

_ITUNES = "----:com.apple.iTunes:"


def _mbid_keys(of: str) -> tuple[str, ...]:
    named = f"MusicBrainz {of} Id"
    return f"TXXX:{named}", f"{_ITUNES}{named}", f"musicbrainz_{of.lower()}id", f"MusicBrainz/{of} Id"


_KEYS: dict[str, tuple[str, ...]] = {
    "title": ("TIT2", "\xa9nam", "title", "Title"),
    "artist": ("TPE1", "\xa9ART", "artist", "Author"),
    "album": ("TALB", "\xa9alb", "album", "WM/AlbumTitle"),
    "album_artist": ("TPE2", "aART", "albumartist", "album artist", "WM/AlbumArtist"),
    "track": ("TRCK", "trkn", "tracknumber", "track", "WM/TrackNumber"),
    "disc": ("TPOS", "disk", "discnumber", "disc", "WM/PartOfSet"),
    "year": ("TDRC", "TYER", "\xa9day", "date", "year", "WM/Year"),
    "genres": ("TCON", "\xa9gen", "genre", "WM/Genre"),
    "isrc": ("TSRC", f"{_ITUNES}ISRC", "isrc", "WM/ISRC"),
    "recording": ("UFID:http://musicbrainz.org", *_mbid_keys("Track")),
    "artist_mbid": _mbid_keys("Artist"),
    "album_mbid": _mbid_keys("Album"),
}
"""Under which names ID3, MP4, Vorbis and APE comments, and ASF keep a tag; Vorbis and APE have no case."""

_MBID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_NUMBERED = re.compile(r"^\d{1,3}(?:\s*[.)_-]\s*|\s+)(?=\S)")


class Tags(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a file says about itself; "" and 0 where it says nothing.

    title, artist  as far as they are tagged; several artists are joined by commas
    recording      the MusicBrainz id of the recording
    artist_mbid    the MusicBrainz id of the artist, if there is one artist
    bit_rate       kilobits a second
    cover          whether there is a picture inside
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    album_artist: str = ""
    track: int = 0
    disc: int = 0
    year: int = 0
    genres: tuple[str, ...] = ()
    isrc: str = ""
    recording: str = ""
    artist_mbid: str = ""
    album_mbid: str = ""
    duration_ms: int = 0
    bit_rate: int = 0
    bit_depth: int = 0
    sampling_rate: int = 0
    channels: int = 0
    cover: bool = False


def read_tags(file: IO[bytes], name: str) -> Tags:
    """Return the tags of an open music ``file``; InputError, with the ``name``, if it is none or is damaged."""
    opened = _opened(file, name)
    found = {field: _texts(opened.tags, keys) for field, keys in _KEYS.items()}
    info = opened.info
    mbids = [value for text in found["artist_mbid"] for value in re.split(r"[/;,\s]+", text) if _MBID.fullmatch(value)]
    return Tags(
        title=_first(found["title"]),
        artist=", ".join(found["artist"])[:LONGEST_TEXT],
        album=_first(found["album"]),
        album_artist=_first(found["album_artist"]),
        track=_number(found["track"], most=9_999),
        disc=_number(found["disc"], most=999),
        year=_number(found["year"], most=9_999),
        genres=tuple(dict.fromkeys(_genres(found["genres"])))[:MOST_GENRES],
        isrc=_first(found["isrc"]),
        recording=next((text.lower() for text in found["recording"] if _MBID.fullmatch(text)), ""),
        artist_mbid=mbids[0].lower() if len(mbids) == 1 else "",
        album_mbid=next((text.lower() for text in found["album_mbid"] if _MBID.fullmatch(text)), ""),
        duration_ms=_measured(info, "length", 1000, most=2**31 - 1),
        bit_rate=_measured(info, "bitrate", 0.001, most=10**6),
        bit_depth=_measured(info, "bits_per_sample", 1, most=1024),
        sampling_rate=_measured(info, "sample_rate", 1, most=10**8),
        channels=_measured(info, "channels", 1, most=256),
        cover=next(_pictures(opened), None) is not None,
    )


def read_cover(file: IO[bytes], name: str) -> tuple[bytes, str] | None:
    """Return the picture inside a music ``file`` and its type, the front cover if it is marked; None without one."""
    pictures = sorted(_pictures(_opened(file, name)), key=lambda picture: picture[0] != 3)  # 3 is a front cover
    for _, content in pictures:
        kind = picture_type(content)
        if kind and len(content) <= LARGEST_COVER:
            return content, kind
    return None


def picture_type(content: bytes) -> str:
    """Return the media type of a picture by its first bytes, "" for anything that browsers don't show as one."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""


def title_of(tags: Tags, path: PurePosixPath) -> str:
    """Return the title, else the name of the file without a track number before it."""
    return tags.title or _NUMBERED.sub("", path.stem, count=1) or path.stem


def _opened(file: IO[bytes], name: str) -> Any:
    try:
        import mutagen
    except ModuleNotFoundError as error:
        raise MissingExtraError("Reading music files", extra="serve") from error
    try:
        opened = mutagen.File(file)
    except Exception as error:  # parsers of many formats, which fail in many ways on damaged files
        raise InputError(f"cannot be read as music: {type(error).__name__}", path=name) from error
    if opened is None:
        raise InputError("is no music file of a known format", path=name)
    return opened


def _texts(tags: Any, keys: tuple[str, ...]) -> list[str]:
    """The texts of the first of ``keys`` that is there."""
    for key in keys:
        try:
            value = tags[key] if tags is not None and key in tags else None
        except (KeyError, ValueError):  # some containers refuse names that others have
            value = None
        if value is not None:
            texts = [text for one in _values(value) if (text := _text(one))]
            if texts:
                return texts
    return []


def _values(value: Any) -> list[Any]:
    """What a tag consists of, in the forms of mutagen's classes."""
    if hasattr(value, "data") and isinstance(value.data, bytes):  # UFID
        return [value.data]
    if hasattr(value, "text") and isinstance(value.text, list):
        return list(value.text)
    return list(value) if isinstance(value, list | tuple) else str(value).split("\x00")


def _text(value: Any) -> str:
    if isinstance(value, tuple):  # MP4's (number, of how many)
        value = value[0] or ""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    cleaned = "".join(letter if letter.isprintable() else " " for letter in str(value)[: 2 * LONGEST_TEXT])
    return " ".join(cleaned.split())[:LONGEST_TEXT]


def _first(texts: list[str]) -> str:
    return texts[0] if texts else ""


def _number(texts: list[str], *, most: int) -> int:
    """The number that a text such as "3/12" or "1997-05-21" begins with; 0 for none."""
    found = re.match(r"\d{1,9}", _first(texts), re.ASCII)
    number = int(found[0]) if found else 0
    return number if number <= most else 0


def _measured(info: Any, name: str, per_unit: float, *, most: int) -> int:
    try:
        value = round(float(getattr(info, name, 0) or 0) * per_unit)
    except (OverflowError, TypeError, ValueError):
        return 0
    return value if 0 <= value <= most else 0


def _genres(texts: list[str]) -> Iterator[str]:
    """Single genres; players write several into one tag, with one of these between them."""
    for text in texts:
        named = text
        if known := re.fullmatch(r"\(?(\d{1,3})\)?", text):  # ID3's numbers
            from mutagen.id3 import TCON

            named = next(iter(TCON(encoding=3, text=[f"({known[1]})"]).genres), "")  # type: ignore[no-untyped-call]
        for part in re.split(r"[;/|]|\\\\", named):
            if genre := part.strip():
                yield genre


def _pictures(opened: Any) -> Iterator[tuple[int, bytes]]:
    """Yield (what it shows by ID3's numbers, content) of the pictures in a file."""
    tags = opened.tags
    for picture in getattr(opened, "pictures", None) or []:  # FLAC
        yield picture.type, picture.data
    if tags is None:
        return
    if hasattr(tags, "getall"):  # ID3
        for picture in tags.getall("APIC"):
            yield int(picture.type), picture.data
        return
    for key, pictured in (("covr", _plain), ("metadata_block_picture", _vorbis)):
        try:
            values = tags.get(key) or []
        except (KeyError, ValueError):
            continue
        for value in values:
            if found := pictured(value):
                yield found


def _plain(value: Any) -> tuple[int, bytes] | None:
    return (3, bytes(value)) if isinstance(value, bytes) else None


def _vorbis(value: Any) -> tuple[int, bytes] | None:
    from mutagen.flac import Picture
    from mutagen.flac import error as damaged

    try:
        picture = Picture(base64.b64decode(value, validate=True))  # type: ignore[no-untyped-call]
    except (binascii.Error, damaged, ValueError, TypeError):
        return None
    return int(picture.type), bytes(picture.data)
