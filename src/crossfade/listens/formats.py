"""The formats that `crossfade import` can read. A new one is a file in this room and a line here."""

import importlib

from crossfade.listens.contract import Format

# name → "module:class"; imported only when a file has to be recognised or read.
FORMATS: dict[str, str] = {
    "listenbrainz": "crossfade.listens.listenbrainz:ListenBrainz",
    "listenbrainz-spark": "crossfade.listens.listenbrainz_parquet:ListenBrainzParquet",
    "spotify-extended": "crossfade.listens.spotify:SpotifyExtended",
    "spotify": "crossfade.listens.spotify:SpotifyBasic",
    "lastfm-csv": "crossfade.listens.lastfm_csv:LastfmCsv",
    "lastfm-json": "crossfade.listens.lastfm_json:LastfmJson",
    "scrobbler-log": "crossfade.listens.scrobbler_log:ScrobblerLog",
    "maloja": "crossfade.listens.maloja:Maloja",
    "lastfm-360k": "crossfade.listens.lastfm_360k:Lastfm360K",
    "lastfm-1k": "crossfade.listens.lastfm_1k:Lastfm1K",
    "taste-profile": "crossfade.listens.taste_profile:TasteProfile",
    "hetrec": "crossfade.listens.hetrec:HetRec",
    "audioscrobbler": "crossfade.listens.audioscrobbler:Audioscrobbler",
    "million-playlist": "crossfade.listens.million_playlist:MillionPlaylist",
    "jspf": "crossfade.listens.jspf:Jspf",
    "xspf": "crossfade.listens.xspf:Xspf",
    "m3u": "crossfade.listens.m3u:M3u",
    "columns": "crossfade.listens.columns:Columns",
}


def load_format(name: str) -> Format:
    """The format registered as ``name``."""
    module, _, attribute = FORMATS[name].partition(":")
    format_class: type[Format] = getattr(importlib.import_module(module), attribute)
    return format_class()
