"""YouTube's watch history from Google Takeout, of which the music is read.

``watch-history.json``, and My Activity's ``MyActivity.json``:

    [{"header": "YouTube Music", "title": "Watched Fly", "titleUrl": "https://music.youtube.com/watch?v=…",
      "subtitles": [{"name": "Low - Topic", "url": …}], "time": "2024-03-01T10:00:00.000Z", "details": […], …}, …]

``watch-history.html``, the default, has the same below some 100 KiB of style, in cells:

    <div class="outer-cell …"> … <p class="mdl-typography--title">YouTube Music<br></p> …
      <div class="content-cell … mdl-typography--body-1">Watched <a href="…/watch?v=…">Fly</a><br>
        <a href="…/channel/…">Low - Topic</a><br>Mar 1, 2024, 10:00:00 AM CET<br></div> …

Titles and dates are in the language of the account. Music is what was played in YouTube Music, and what a "Topic"
channel has, where YouTube puts the tracks of records. How long something was played is not told.
"""

import html
import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

from crossfade.core.errors import InputError
from crossfade.formats import streams, values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.json_records import json_records
from crossfade.formats.local_dates import local_time
from crossfade.formats.scrobbles import put_scrobble
from crossfade.formats.shapes import head_text

_MUSIC = "YouTube Music"
_TOPIC = " - Topic"
_NOBODY = "release"  # the topic channel of records whose artist YouTube does not know
_AD = "Google Ads"  # the name of a detail ends in it in every language seen
_VIDEO = re.compile(r"youtube\.com/watch\?v(?:=|\\u003d)", re.IGNORECASE)
_VIDEO_ID = re.compile(r"[?&]v=([\w-]{6,20})")

_CELL = b'<div class="outer-cell'
_LONGEST_CELL = 1 << 20  # bytes; a real cell has some 1,500
_LINK = re.compile(r'<a href="([^"<>]*)"[^<>]*>([^<]*)</a>')
_BREAK = re.compile(r"<br ?/?>")
_TAG = re.compile(r"<[^<>]*>")

_SAMPLE = 500  # records that are compared to learn the words around a title
_FEWEST = 10  # titles that tell words from titles; with fewer, English is assumed
_SHARE = 0.8  # of the titles have the words; the others are adverts, posts and the like


@dataclass
class _Watched:
    """One record; ``time`` is the text in the file."""

    place: Place
    title: str | None
    url: str
    channel: str | None
    time: str | None
    listened_at: float | None
    is_music: bool
    is_ad: bool


class YoutubeMusic:
    """Every song is one listen of the default user."""

    name = "youtube-music"
    title = "YouTube Music history (Google Takeout)"

    def recognise(self, member: Member) -> float:
        """1 by records of watched videos; 0.7 by Takeout's style in a folder or file of YouTube's."""
        head = head_text(member).lstrip()
        if head.startswith("["):
            return 1.0 if '"titleUrl"' in head and '"header"' in head and _VIDEO.search(head) else 0.0
        if not head.startswith("<") or "mdl-" not in head:
            return 0.0
        if _CELL.decode() in head and _VIDEO.search(head):
            return 1.0
        path = str(member.relative).lower()
        return 0.7 if "youtube" in path or "watch-history" in path else 0.3

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a song; the number of a row is that of its record or its cell."""
        for member in source.members:
            with source.open(member) as file:
                if member.head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
                    for number, cell in enumerate(_cells(file), start=1):
                        _put(sink, _from_cell((member, number), cell), "", "")
                else:
                    _put_records(sink, member, json_records(file, (), member.name))


def _put_records(sink: Sink, member: Member, records: Iterator[tuple[int, Any]]) -> None:
    """Hand the records of one file to ``sink``, their titles without the words around them ("Watched …")."""
    watched = (_from_record(sink, (member, number), record) for number, record in records)
    sample: list[_Watched] = []
    failure: InputError | None = None
    try:
        sample.extend(one for one in itertools.islice(watched, _SAMPLE) if one is not None)
    except InputError as error:
        failure = error
    titles = sorted({one.title for one in sample if one.title and one.channel and one.url})
    before, after = ("Watched ", "") if len(titles) < _FEWEST else (_common(titles), _common(_reversed(titles))[::-1])
    for one in itertools.chain(sample, watched):
        if one is not None:
            _put(sink, one, before, after)
    if failure is not None:
        raise failure


def _reversed(titles: list[str]) -> list[str]:
    return sorted(title[::-1] for title in titles)


def _common(titles: list[str]) -> str:
    """Return the longest beginning that most of ``titles`` (sorted, distinct) share, up to the end of a word."""
    most = max(2, int(_SHARE * len(titles)))
    # Sorted, those between two titles share what the two share.
    pairs = (zip(titles[i], titles[i + most - 1], strict=False) for i in range(len(titles) - most + 1))
    shared = ("".join(one for one, _ in itertools.takewhile(lambda both: both[0] == both[1], pair)) for pair in pairs)
    beginning = max(shared, key=len, default="")
    while beginning and beginning[-1].isalnum():
        beginning = beginning[:-1]
    return beginning


def _put(sink: Sink, one: _Watched, before: str, after: str) -> None:
    if one.is_ad or not _VIDEO.search(one.url):
        sink.drop(one.place, "not-a-play", "an advert, a search, or a video that was removed")
        return
    if not one.is_music:
        sink.drop(one.place, "unsupported", "a video, not music")
        return
    title = one.title
    if title and before and title.startswith(before):
        title = title[len(before) :]
    if title and after and title.endswith(after):
        title = title[: -len(after)]
    artist, title = _credited(one.channel, values.text(title))
    video = _VIDEO_ID.search(one.url)
    put_scrobble(
        sink,
        one.place,
        time=one.time,
        listened_at=one.listened_at,
        artist=artist,
        track=None if title is None or title.startswith("https://") else title,
        item_id=f"youtube:{video.group(1)}" if video else None,
    )


def _credited(channel: str | None, title: str | None) -> tuple[str | None, str | None]:
    """Return artist and title: those of a topic channel, or of "Artist - Title" on the artist's own channel."""
    if channel is None:
        return None, title
    if channel.endswith(_TOPIC):
        artist = values.text(channel.removesuffix(_TOPIC))
        return (None if artist is None or artist.casefold() == _NOBODY else artist), title
    artist, dash, own = (title or "").partition(" - ")
    if dash and own.strip() and _squashed(artist) == _squashed(channel).removesuffix("vevo"):
        return artist.strip(), own.strip()
    return channel, title


def _squashed(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))


def _from_record(sink: Sink, place: Place, record: Any) -> _Watched | None:
    """Return a record of JSON; None, and drop it, if it is none."""
    if not isinstance(record, dict):
        sink.drop(place, "malformed", "a record is not an object")
        return None
    channels, details = ([part for part in _listed(record.get(key)) if part] for key in ("subtitles", "details"))
    time = values.text(record.get("time"))
    return _Watched(
        place=place,
        title=values.text(record.get("title")),
        url=values.text(record.get("titleUrl")) or "",
        channel=channels[0] if channels else None,
        time=time,
        listened_at=values.iso_time(time or ""),
        is_music=_is_music(values.text(record.get("header")), channels, details),
        is_ad=any(_AD in detail for detail in details),
    )


def _listed(parts: Any) -> Iterable[str | None]:
    """Return the names of a list of objects with names."""
    return (
        (values.text(part.get("name")) for part in parts if isinstance(part, dict)) if isinstance(parts, list) else ()
    )


def _is_music(header: str | None, channels: list[str], details: list[str]) -> bool:
    topic = bool(channels) and channels[0].endswith(_TOPIC)
    return topic or any(_MUSIC in text for text in (header or "", *details))


def _cells(file: IO[bytes]) -> Iterator[str]:
    """Yield the cells of a page, one after the other; a cell that is too long is cut."""
    rest = b""
    style = 1  # what stands before the first cell
    for piece in streams.pieces(file):
        *cells, rest = (rest + piece).split(_CELL)
        for cell in cells[style:]:
            yield cell[:_LONGEST_CELL].decode(errors="replace")
        style = 0 if cells else style
        # The mark of the next cell may be cut in two.
        rest = rest[-len(_CELL) :] if style else rest[:_LONGEST_CELL]
    if not style:
        yield rest.decode(errors="replace")


def _from_cell(place: Place, cell: str) -> _Watched:
    header = cell.partition('mdl-typography--title">')[2].partition("<")[0]
    body, _, caption = cell.partition('mdl-typography--body-1">')[2].partition("</div>")
    links = [(html.unescape(url), values.text(html.unescape(text))) for url, text in _LINK.findall(body)]
    lines = [line for part in _BREAK.split(body) if (line := html.unescape(_TAG.sub("", part)).strip())]
    video = next(((url, title) for url, title in links if _VIDEO.search(url)), ("", None))
    channel = next((text for url, text in links if text and not _VIDEO.search(url)), None)
    time = lines[-1] if lines else None
    return _Watched(
        place=place,
        title=video[1],
        url=video[0],
        channel=channel,
        time=time,
        listened_at=local_time(time) if time else None,
        is_music=_is_music(values.text(html.unescape(header)), [channel] if channel else [], []),
        is_ad=_AD in caption,
    )
