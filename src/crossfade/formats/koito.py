"""Koito's export.

    {"version": "1", "exported_at": …, "user": …, "listens": [
        {"listened_at": "2022-01-08T22:32:08Z", "client": …,
         "track": {"mbid": null, "duration": 354, "aliases": [{"alias": …, "source": …, "is_primary": true}]},
         "album": {"mbid": …, "aliases": […], "various_artists": false, …},
         "artists": [{"mbid": …, "is_primary": false, "aliases": […], …}, …]}]}

Names are aliases, one of which is the primary one. A listen counts for its primary artist, else for the first. Lengths
are in seconds; 0 is unknown. An export is one person's, so its rows are the default user's.
"""

import re
from typing import Any

from crossfade.formats import values
from crossfade.formats.contract import Member, Place, Sink, Source
from crossfade.formats.json_records import json_rows
from crossfade.formats.scrobbles import put_scrobble
from crossfade.formats.shapes import head_text

_LISTENS = re.compile(r'"listens"\s*:\s*\[')
_ALIASES = re.compile(r'"aliases"\s*:\s*\[')


class Koito:
    """Every listen is one play of the default user."""

    name = "koito"
    title = "Koito export"

    def recognise(self, member: Member) -> float:
        """1 for listens whose names are aliases."""
        head = head_text(member)
        listens = head.lstrip().startswith("{") and _LISTENS.search(head)
        return 1.0 if listens and _ALIASES.search(head) and '"listened_at"' in head else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen each."""
        for place, listen in json_rows(source, ("listens",)):
            _put(sink, place, listen)


def _put(sink: Sink, place: Place, listen: Any) -> None:
    if not isinstance(listen, dict):
        sink.drop(place, "malformed", "a listen is not an object")
        return
    track, album, artist = _object(listen.get("track")), _object(listen.get("album")), _primary(listen.get("artists"))
    time = values.text(listen.get("listened_at"))
    put_scrobble(
        sink,
        place,
        time=time,
        listened_at=values.iso_time(time or ""),
        artist=_name(artist),
        track=_name(track),
        item_id=values.mbid(track.get("mbid")),
        parent_id=values.mbid(artist.get("mbid")),
        album=_name(album),
        duration_ms=values.milliseconds(track.get("duration"), per_unit=1000),
        platform=values.text(listen.get("client")),
    )


def _name(thing: dict[str, Any]) -> str | None:
    return values.text(_primary(thing.get("aliases")).get("alias"))


def _primary(things: Any) -> dict[str, Any]:
    """Return the object of a list that is the primary one, else the first; empty if there is none."""
    objects = [thing for thing in things if isinstance(thing, dict)] if isinstance(things, list) else []
    return next((thing for thing in objects if thing.get("is_primary") is True), objects[0] if objects else {})


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
