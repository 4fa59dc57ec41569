"""What all formats of playlists share: how their entries become items, names and counts.

A playlist is no listen: nobody says when, or whether, it was heard. It is kept as a playlist, for models that
learn from order. And since tracks that somebody put together tell about taste as tracks that somebody
played do, each entry also counts as one play by the playlist itself: the user of these counts has the
playlist's id. So a library of nothing but playlists can be learnt from, and whoever wants listeners
alone leaves out the users that are playlists.
"""

from dataclasses import dataclass

from crossfade.core.schemas import named_artist, named_track
from crossfade.formats.contract import Member, Sink


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry of a playlist as its file describes it; None where it says nothing."""

    artist: str | None = None
    title: str | None = None
    album: str | None = None
    track_ms: int | None = None
    artist_id: str | None = None
    track_id: str | None = None
    isrc: str | None = None


def put_entry(sink: Sink, place: tuple[Member, int], playlist_id: str, position: int, entry: Entry) -> bool:
    """Hand ``entry`` to ``sink`` at ``position``, or drop it; whether it was kept.

    An entry is kept if it has an id, or both artist and title.
    """
    artist_id = entry.artist_id or (named_artist(entry.artist) if entry.artist else None)
    track_id = entry.track_id
    if track_id is None and entry.artist and entry.title:
        track_id = named_track(entry.artist, entry.title)
    if track_id is None:
        missing = "the title" if entry.artist else "the artist"
        sink.drop(place, "incomplete", f"the entry has no identifier, and {missing} is missing")
        return False
    if artist_id is not None and entry.artist:
        sink.artist(artist_id, entry.artist)
    if entry.title:
        sink.track(
            track_id,
            entry.title,
            artist_id=artist_id,
            album=entry.album,
            track_ms=entry.track_ms,
            isrc=entry.isrc,
        )
    sink.playlist_item(playlist_id, position, track_id, artist_id)
    sink.count(place, user_id=playlist_id, plays=1, artist_id=artist_id, track_id=track_id)
    return True


def file_playlist_id(format_name: str, member: Member) -> str:
    """The id of a playlist that has none of its own: where it lies, so that a newer copy takes its place."""
    return f"{format_name}:{member.relative}"
