"""What the routes of the web page are made with."""

from dataclasses import dataclass

from crossfade.live.music_audio import Audio
from crossfade.serve.active import ActiveRelease
from crossfade.serve.limits import RateLimits
from crossfade.serve.settings import ServeSettings
from crossfade.stores.live import LiveState


@dataclass(frozen=True, eq=False)
class Site:
    """The release and the live state that are served, and the sound of tracks."""

    active: ActiveRelease
    live: LiveState
    limits: RateLimits
    settings: ServeSettings
    audio: Audio
