"""The database of a Navidrome server, ``navidrome.db``.

    user (id, user_name)                      media_file (id, title, artist, artist_id, album, duration in seconds,
    artist (id, name, mbz_artist_id)                      mbz_recording_id, before 2023 mbz_track_id)
    scrobbles (user_id, media_file_id, submission_time in seconds; since version 0.59)
    annotation (user_id, item_id, item_type, play_count, play_date, starred, starred_at, rating 0 to 5, rated_at)
    playlist (id, name, owner_id, rules)      playlist_tracks (id: the position, playlist_id, media_file_id)

Each scrobble is a listen. Plays that were counted without one are counts, the last of them a listen where none of the
track's plays has a time otherwise. A star or 4 and 5 of 5 are a thumb up, 1 of 5 a thumb down. Smart playlists are made
by the server and left out. Users keep their names.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from crossfade.core.names import named_id
from crossfade.formats import sqlite_files, values
from crossfade.formats.contract import Member, Sink, Source
from crossfade.formats.library_items import LibraryTrack, put_entries, put_plays

_UP, _DOWN = 4, 1  # of five stars
_UNKNOWN = "[unknown artist]"


class Navidrome:
    """Listens, counts, thumbs and playlists of all users."""

    name = "navidrome"
    title = "Navidrome's database"

    def recognise(self, member: Member) -> float:
        """1 for a database with the tables of a Navidrome server, 0.9 by its name."""
        return sqlite_files.recognised(member, ("navidrome.db",), [(b"media_file", b"annotation")])

    def read(self, source: Source, sink: Sink) -> None:
        """The number of a row is that in its table."""
        for member in sqlite_files.databases(source.members):
            with sqlite_files.opened(source, member) as database:
                server = _Server.of(database)
                server.put_plays(database, sink, member)
                server.put_playlists(database, sink, member)


@dataclass
class _Server:
    """What plays refer to, by its id in the database; artists by (id, name)."""

    users: dict[Any, str]
    artists: dict[Any, tuple[str, str]]
    tracks: dict[Any, LibraryTrack]

    @classmethod
    def of(cls, database: sqlite_files.Database) -> "_Server":
        users = {key: text for key, name in database.rows("user", "id", "user_name") if (text := values.text(name))}
        artists = {}
        for key, name, mbid in database.rows("artist", "id", "name", "mbz_artist_id"):
            if (text := values.text(name)) and text.lower() != _UNKNOWN:
                artists[key] = (values.mbid(mbid) or named_id(text), text)
        columns = ("title", "artist_id", "artist", "album", "duration", "mbz_recording_id", "mbz_track_id")
        tracks = {}
        for key, title, artist_key, artist, album, seconds, *mbids in database.rows("media_file", "id", *columns):
            # The artist's own row names the first artist of a credit to several.
            artist_id, artist_name = artists.get(artist_key, (None, values.text(artist)))
            tracks[key] = LibraryTrack.named(
                values.text(title),
                None if artist_name is None or artist_name.lower() == _UNKNOWN else artist_name,
                track_id=next(filter(None, map(values.mbid, mbids)), None),
                artist_id=artist_id,
                album=values.text(album),
                duration_ms=values.milliseconds(seconds, per_unit=1000),
            )
        return cls(users, artists, tracks)

    def put_plays(self, database: sqlite_files.Database, sink: Sink, member: Member) -> None:
        """Hand over scrobbles, then what else is known of each user's items."""
        timed: Counter[tuple[Any, Any]] = Counter()
        scrobbles = database.rows("scrobbles", "user_id", "media_file_id", "submission_time")
        for number, (user_key, key, seconds) in enumerate(scrobbles, start=1):
            timed[user_key, key] += 1
            put_plays(
                sink,
                (member, number),
                self.users.get(user_key),
                self.tracks.get(key),
                listened_at=values.time(seconds),
            )
        columns = ("play_count", "play_date", "starred", "starred_at", "rating", "rated_at")
        annotations = database.rows("annotation", "user_id", "item_type", "item_id", *columns)
        for number, (user_key, kind, key, plays, played, starred, starred_at, rating, rated_at) in enumerate(
            annotations, start=1
        ):
            user, track = self.users.get(user_key), self.tracks.get(key)
            if kind == "media_file":
                put_plays(
                    sink,
                    (member, number),
                    user,
                    track,
                    plays=int(values.number(plays) or 0) - timed[user_key, key],
                    listened_at=None if timed[user_key, key] else values.time(played),
                )
            score = 1 if starred else _score(values.number(rating))
            if user is None or not score:
                continue
            given_at = values.time(starred_at if starred else rated_at)
            if kind == "media_file" and track is not None and track.put(sink):
                sink.feedback(user, track.track_id, score, given_at)
            elif kind == "artist" and key in self.artists:
                sink.item("artist", *self.artists[key])
                sink.feedback(user, self.artists[key][0], score, given_at, kind="artist")

    def put_playlists(self, database: sqlite_files.Database, sink: Sink, member: Member) -> None:
        """Hand over the playlists that people made, with their tracks in order."""
        entries: dict[Any, list[tuple[float, int, Any]]] = {}
        tracks = database.rows("playlist_tracks", "playlist_id", "id", "media_file_id")
        for number, (key, position, track) in enumerate(tracks, start=1):
            entries.setdefault(key, []).append((values.number(position) or 0.0, number, track))
        for key, name, owner, rules in database.rows("playlist", "id", "name", "owner_id", "rules"):
            if not rules:
                sink.playlist(f"navidrome:{key}", values.text(name) or "", owner=self.users.get(owner))
                ordered = sorted(entries.get(key, ()), key=lambda entry: entry[:2])
                listed = (((member, number), self.tracks.get(track)) for _, number, track in ordered)
                put_entries(sink, f"navidrome:{key}", listed)


def _score(rating: float | None) -> int:
    """Return the thumb that a rating of one to five stars is; 0 for none."""
    return 0 if not rating else 1 if rating >= _UP else -1 if rating == _DOWN else 0
