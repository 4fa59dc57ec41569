"""The server and its users; and what this server does not have, answered by empty lists, since clients ask."""

import threading
from typing import Any

from crossfade.serve.subsonic.answers import FORBIDDEN, GENERIC, UNSUPPORTED, Content, Failure
from crossfade.serve.subsonic.browsing import FOLDER, song_named
from crossfade.serve.subsonic.calls import Call, Handler, Library

EXTENSIONS: dict[str, list[int]] = {
    "apiKeyAuthentication": [1],
    "formPost": [1],
    "indexBasedQueue": [1],
    "playbackReport": [1],
    "sonicSimilarity": [1],
    "songLyrics": [1],
    "topSongsByArtistId": [1],
}
"""What OpenSubsonic adds to Subsonic, as far as it is here, with the versions of each."""

_NOT_ROLES = ("settings", "upload", "coverArt", "comment", "podcast", "jukebox", "share", "videoConversion")


def extensions() -> Content:
    """Return what anybody may ask, with no account: the extensions."""
    return {"openSubsonicExtensions": [{"name": name, "versions": versions} for name, versions in EXTENSIONS.items()]}


def _ping(library: Library, call: Call) -> Content:
    return {}


def _license(library: Library, call: Call) -> Content:
    return {"license": {"valid": True}}


def _token_info(library: Library, call: Call) -> Content:
    if "apiKey" not in call.parameters:
        raise Failure(UNSUPPORTED, "tokenInfo is about an apiKey.")
    return {"tokenInfo": {"username": call.user}}


def _user_answer(library: Library, call: Call, user: str) -> dict[str, Any]:
    own = user == call.user
    return {
        "username": user,
        "scrobblingEnabled": True,
        "adminRole": own and "admin" in call.scopes,
        "downloadRole": True,
        "playlistRole": not own or bool({"manage", "admin"} & call.scopes),
        "streamRole": True,
        **{f"{role}Role": False for role in _NOT_ROLES},
        "folder": [] if library.folder is None else [FOLDER],
    }


def _user(library: Library, call: Call) -> Content:
    user = call.text("username", call.user)
    if user != call.user and "admin" not in call.scopes:
        raise Failure(FORBIDDEN, "Only an admin may ask about other users.")
    return {"user": _user_answer(library, call, library.live.account(user).user)}


def _users(library: Library, call: Call) -> Content:
    if "admin" not in call.scopes:
        raise Failure(FORBIDDEN, "Only an admin may ask about other users.")
    return {"users": {"user": [_user_answer(library, call, one.user) for one in library.live.accounts()]}}


def _scan_status(library: Library, call: Call) -> Content:
    folder = library.folder
    scanning = folder is not None and folder.scanning
    return {"scanStatus": {"scanning": scanning,
                           "count": folder.counted if folder and scanning else len(library.music.songs)}}  # fmt: skip


def _start_scan(library: Library, call: Call) -> Content:
    if library.folder is None:
        raise Failure(GENERIC, "There is no music folder. Set [serve] music, or pass --music.")
    if not library.folder.scanning:
        threading.Thread(target=library.folder.scan, name="scan", daemon=True).start()
    return {"scanStatus": {"scanning": True, "count": library.folder.counted}}


def _lyrics(library: Library, call: Call) -> Content:
    return {"lyrics": {"value": ""}}


def _lyrics_by_song(library: Library, call: Call) -> Content:
    song_named(library, call.text("id"))
    return {"lyricsList": {"structuredLyrics": []}}


def _empty(name: str, inside: str) -> Handler:
    def empty(library: Library, call: Call) -> Content:
        return {name: {inside: []}}

    return empty


def _only_from_the_command_line(library: Library, call: Call) -> Content:
    raise Failure(FORBIDDEN, "Users are managed by `crossfade users` and `crossfade tokens`.")


CALLS: dict[str, Handler] = {
    "ping": _ping,
    "getLicense": _license,
    "tokenInfo": _token_info,
    "getUser": _user,
    "getUsers": _users,
    "getScanStatus": _scan_status,
    "getLyrics": _lyrics,
    "getLyricsBySongId": _lyrics_by_song,
    "getPodcasts": _empty("podcasts", "channel"),
    "getNewestPodcasts": _empty("newestPodcasts", "episode"),
    "getInternetRadioStations": _empty("internetRadioStations", "internetRadioStation"),
    "getShares": _empty("shares", "share"),
    "getVideos": _empty("videos", "video"),
    "getChatMessages": _empty("chatMessages", "chatMessage"),
    **dict.fromkeys(("createUser", "updateUser", "deleteUser", "changePassword"), _only_from_the_command_line),
}
"""What is answered for reading alone."""

MANAGING: dict[str, Handler] = {"startScan": _start_scan}
"""What changes something for everybody."""
