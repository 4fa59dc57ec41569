"""The formats that `crossfade import` can read. A new one is a file in this room and a line here."""

import importlib

from crossfade.formats.contract import Format

# name → "module:class", imported only when a file is recognised or read
FORMATS: dict[str, str] = {
    "listenbrainz": "crossfade.formats.listenbrainz:ListenBrainz",
    "listenbrainz-spark": "crossfade.formats.listenbrainz_parquet:ListenBrainzParquet",
    "spotify-extended": "crossfade.formats.spotify:SpotifyExtended",
    "spotify": "crossfade.formats.spotify:SpotifyBasic",
    "spotify-library": "crossfade.formats.spotify_library:SpotifyLibrary",
    "youtube-music": "crossfade.formats.youtube_music:YoutubeMusic",
    "apple-music": "crossfade.formats.apple_music:AppleMusic",
    "deezer": "crossfade.formats.deezer:Deezer",
    "lastfm-csv": "crossfade.formats.lastfm_csv:LastfmCsv",
    "lastfm-json": "crossfade.formats.lastfm_json:LastfmJson",
    "scrobbler-log": "crossfade.formats.scrobbler_log:ScrobblerLog",
    "librefm": "crossfade.formats.librefm:Librefm",
    "pano-scrobbler": "crossfade.formats.pano_scrobbler:PanoScrobbler",
    "koito": "crossfade.formats.koito:Koito",
    "maloja": "crossfade.formats.maloja:Maloja",
    "lastfm-360k": "crossfade.formats.lastfm_360k:Lastfm360K",
    "lastfm-1k": "crossfade.formats.lastfm_1k:Lastfm1K",
    "taste-profile": "crossfade.formats.taste_profile:TasteProfile",
    "hetrec": "crossfade.formats.hetrec:HetRec",
    "audioscrobbler": "crossfade.formats.audioscrobbler:Audioscrobbler",
    "million-playlist": "crossfade.formats.million_playlist:MillionPlaylist",
    "jspf": "crossfade.formats.jspf:Jspf",
    "xspf": "crossfade.formats.xspf:Xspf",
    "navidrome": "crossfade.formats.navidrome:Navidrome",
    "jellyfin": "crossfade.formats.jellyfin:Jellyfin",
    "itunes-library": "crossfade.formats.itunes_library:ItunesLibrary",
    "m3u": "crossfade.formats.m3u:M3u",
    "music-files": "crossfade.formats.music_files:MusicFiles",
    "columns": "crossfade.formats.columns:Columns",
}

APART = frozenset({"columns", "lastfm-1k", "lastfm-csv", "lastfm-json", "listenbrainz-spark", "million-playlist"})
"""The formats that read each file by itself, so that several machines can read those of one import."""


def load_format(name: str) -> Format:
    """Return the format registered as ``name``."""
    module, _, attribute = FORMATS[name].partition(":")
    format_class: type[Format] = getattr(importlib.import_module(module), attribute)
    return format_class()
