"""What the routes of the web page are made with."""

from dataclasses import dataclass
from typing import Self

from crossfade.core.home import Home
from crossfade.live.jobs import Jobs
from crossfade.live.music_audio import Audio
from crossfade.live.music_folder import MusicFolder
from crossfade.serve.active import ActiveRelease
from crossfade.serve.limits import RateLimits
from crossfade.serve.settings import ServeSettings
from crossfade.stores.live import LiveState


@dataclass(frozen=True, eq=False)
class Site:
    """The release and the live state that are served, the sound of tracks, and the home with its jobs."""

    active: ActiveRelease
    live: LiveState
    limits: RateLimits
    settings: ServeSettings
    audio: Audio
    home: Home | None
    jobs: Jobs | None

    @classmethod
    def of(
        cls,
        active: ActiveRelease,
        live: LiveState,
        limits: RateLimits,
        settings: ServeSettings,
        music: MusicFolder | None,
        home: Home | None,
    ) -> Self:
        """Return what serves the library of ``home``; without one there are no imports and runs."""
        jobs = None if home is None else Jobs(home)
        return cls(active, live, limits, settings, Audio(music, home), home, jobs)
