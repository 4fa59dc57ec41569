"""Stars and ratings, which count for taste at once."""

from crossfade.live.music import Artist, Song
from crossfade.serve.subsonic.answers import GENERIC, UNKNOWN, Content, Failure
from crossfade.serve.subsonic.calls import Call, Handler, Library
from crossfade.serve.subsonic.marks import mark_album
from crossfade.serve.subsonic.recommending import similar
from crossfade.stores.live import Feedback, Opinion, now


def _starring(value: int) -> Handler:
    def star(library: Library, call: Call) -> Content:
        ids = [*call.texts("id"), *call.texts("albumId"), *call.texts("artistId")]
        if not ids:
            raise Failure(GENERIC, "Name what is meant by id, albumId or artistId.")
        for one in ids:
            _require(library, one)
        _give(library, call, "like", ids, value)
        return {}

    return star


def _rate(library: Library, call: Call) -> Content:
    rated, value = call.text("id"), call.number("rating", most=6)
    if value > 5:
        raise Failure(GENERIC, "A rating is a whole number from 0 to 5.")
    _require(library, rated)
    _give(library, call, "rating", [rated], value)
    return {}


def _require(library: Library, wanted: str) -> None:
    music = library.music
    if wanted not in music.songs and wanted not in music.albums and wanted not in music.artists:
        raise Failure(UNKNOWN, "There is no such song, album or artist.")


def _give(library: Library, call: Call, sort: Opinion, ids: list[str], value: int) -> None:
    music, given_at = library.music, now()
    rated: list[Song | Artist] = []
    for one in ids:
        if one in music.albums:
            mark_album(library.live, call.user, "starred" if sort == "like" else "rated", one,
                       value and (given_at if sort == "like" else value))  # fmt: skip
        else:
            rated.append(music.songs.get(one) or music.artists[one])
    with similar(library) as described:
        tracks = [
            described.described(one) if isinstance(one, Song) else described.described_artist(one) for one in rated
        ]
    if tracks:
        library.live.give(
            [Feedback(user=call.user, sort=sort, value=value, track=track, given_at=given_at) for track in tracks]
        )


CALLS: dict[str, Handler] = {"star": _starring(1), "unstar": _starring(0), "setRating": _rate}
"""What changes the user's taste."""
