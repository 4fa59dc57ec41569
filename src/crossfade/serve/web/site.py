"""What the routes of the web page are made with."""

import contextlib
from dataclasses import dataclass
from typing import Self

from crossfade.core.errors import CrossfadeError
from crossfade.core.home import Home
from crossfade.core.kinds import KINDS
from crossfade.live.jobs import Jobs
from crossfade.live.music_audio import Audio
from crossfade.live.music_folder import MusicFolder
from crossfade.serve.active import ActiveRelease
from crossfade.serve.limits import RateLimits
from crossfade.serve.settings import ServeSettings
from crossfade.stores.live_contract import LiveState
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.tags import tag_map


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

    def prepare(self, opened: OpenRelease) -> None:
        """Have maps of a release and its sound ready; requests will say what it lacks."""
        with contextlib.suppress(CrossfadeError):
            tag_map(opened)
        for kind in opened.release.tables.kinds:
            if KINDS[kind].parent is None:
                with contextlib.suppress(CrossfadeError):
                    opened.neighbourhood(kind)
        with contextlib.suppress(CrossfadeError):
            self.audio.prepare()
