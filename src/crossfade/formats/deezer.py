"""Deezer's export of personal data: the sheet "10_listeningHistory" of ``deezer-data_….xlsx``, or the same as CSV.

    Song Title,Artist,ISRC,Album Title,IP Address,Listening Time,Platform Name,Platform Model,Date

Listening Time is in seconds, -1 where it is unknown. Date is written as 2026-01-15 14:30:00 and names no zone: it is
read as UTC. An export is one person's. Of the other columns (addresses, devices), only the platform is kept.
"""

import re

from crossfade.formats import values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.delimited import has_columns, named_rows
from crossfade.formats.scrobbles import put_scrobble

_REQUIRED = ("song title", "artist", "listening time", "date")
_OPTIONAL = ("isrc", "album title", "platform name")
_SHEET = re.compile(r"deezer-data[^/:]*\.xlsx:", re.IGNORECASE)


class Deezer:
    """Every row of the listening history is one listen of the default user."""

    name = "deezer"
    title = "Deezer personal data"

    def recognise(self, member: Member) -> float:
        """1 by the header; 0.6 for the other sheets, which no other format may take for listening history."""
        if has_columns(member, _REQUIRED):
            return 1.0
        return 0.6 if _SHEET.search(member.name) else 0.0

    def read(self, source: Source, sink: Sink) -> None:
        """One listen a row."""
        for member in source.members:
            if _SHEET.search(member.name) and not has_columns(member, _REQUIRED):
                continue
            for place, row in named_rows(source, member, sink, _REQUIRED, _OPTIONAL):
                platform = values.text(row.get("platform name"))
                put_scrobble(
                    sink,
                    place,
                    time=row["date"],
                    listened_at=values.iso_time(row["date"]),
                    artist=values.text(row["artist"]),
                    track=values.text(row["song title"]),
                    ms_played=values.played(row["listening time"], per_unit=1000),
                    album=values.text(row.get("album title")),
                    isrc=values.text(row.get("isrc")),
                    platform=None if platform == "None" else platform,
                )
