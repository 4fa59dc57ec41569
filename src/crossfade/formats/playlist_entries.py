"""What all playlist formats share: how an entry becomes a playlist item with a name.

A playlist is not listening history: its file does not tell who heard it, or when. Its items go to the tables
``playlists`` and ``playlist_items`` alone.
"""

from crossfade.core.names import named_id
from crossfade.formats.contract import DEFAULT_KIND, Member, Place, Sink


def put_entry(
    sink: Sink,
    place: Place,
    playlist_id: str,
    position: int,
    *,
    artist: str | None = None,
    title: str | None = None,
    artist_id: str | None = None,
    track_id: str | None = None,
    **fields: str | int | None,
) -> None:
    """Hand a track to ``sink`` at ``position`` of the playlist; drop it if it has neither id nor artist and title."""
    if artist and not artist_id:
        artist_id = named_id(artist)
    if artist and title and not track_id:
        track_id = named_id(title, artist)
    if track_id is None:
        missing = "title" if artist else "artist"
        sink.drop(place, "incomplete", f"the entry has no identifier, and its {missing} is missing")
        return
    if artist_id and artist:
        sink.item("artist", artist_id, artist)
    if title:
        sink.item(DEFAULT_KIND, track_id, title, parent_id=artist_id, **fields)
    sink.playlist_item(place, playlist_id, position, track_id, artist_id)


def file_playlist_id(format_name: str, member: Member) -> str:
    """Return the id of a playlist without one of its own: its path, so that a newer copy replaces it."""
    return f"{format_name}:{member.relative}"
