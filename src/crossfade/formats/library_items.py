"""What the databases of music servers share: tracks by the library's own ids, their plays, and playlists of them."""

from collections.abc import Iterable
from dataclasses import dataclass

from crossfade.core.names import named_id
from crossfade.formats.contract import DEFAULT_KIND, Place, Sink


@dataclass(frozen=True, slots=True)
class LibraryTrack:
    """A track of the library; without a name or an artist it cannot be used, and has no ids."""

    track_id: str = ""
    artist_id: str = ""
    title: str | None = None
    artist: str | None = None
    album: str | None = None
    duration_ms: int | None = None

    @classmethod
    def named(
        cls,
        title: str | None,
        artist: str | None,
        *,
        track_id: str | None = None,
        artist_id: str | None = None,
        album: str | None = None,
        duration_ms: int | None = None,
    ) -> "LibraryTrack":
        """Return a track of these names; ids that are not given are made from them."""
        if not title or not artist:
            return cls(title=title, artist=artist)
        return cls(
            track_id or named_id(title, artist), artist_id or named_id(artist), title, artist, album, duration_ms
        )

    def put(self, sink: Sink) -> bool:
        """Hand the names to ``sink`` and return True; False if there are none."""
        if not self.title or not self.artist:
            return False
        sink.item("artist", self.artist_id, self.artist)
        sink.item(
            DEFAULT_KIND,
            self.track_id,
            self.title,
            parent_id=self.artist_id,
            album=self.album,
            duration_ms=self.duration_ms,
        )
        return True


def put_entries(sink: Sink, playlist_id: str, entries: Iterable[tuple[Place, LibraryTrack | None]]) -> None:
    """Hand over the tracks of a playlist, in their order; one that the library has no more costs its entry."""
    position = 0
    for place, track in entries:
        if track is None or not track.put(sink):
            sink.drop(place, "incomplete", "an entry of a playlist names no track of the library")
            continue
        sink.playlist_item(place, playlist_id, position, track.track_id, track.artist_id)
        position += 1


def put_plays(
    sink: Sink,
    place: Place,
    user: str | None,
    track: LibraryTrack | None,
    *,
    plays: int = 1,
    listened_at: float | None = None,
    ms_played: int | None = None,
    platform: str | None = None,
) -> None:
    """Hand ``plays`` of a track to ``sink``: the one of ``listened_at`` as a listen, the others as a count.

    Without plays nothing is handed over. A user or a track that the library has no more costs the row.
    """
    if plays <= 0:
        return
    if user is None or track is None:
        sink.drop(place, "incomplete", f"its {'user' if user is None else 'track'} is no longer in the library")
    elif not track.title or not track.artist:
        sink.drop(place, "incomplete", f"the {'track' if track.artist else 'artist'} is missing")
    else:
        if listened_at is not None:
            plays -= 1
            sink.listen(
                place,
                user_id=user,
                listened_at=listened_at,
                name=track.title,
                parent=track.artist,
                item_id=track.track_id,
                parent_id=track.artist_id,
                album=track.album,
                duration_ms=track.duration_ms,
                ms_played=ms_played,
                platform=platform,
            )
        if plays:
            track.put(sink)
            sink.count(
                place,
                user_id=user,
                plays=plays,
                kind=DEFAULT_KIND,
                item_id=track.track_id,
                parent_id=track.artist_id,
            )
