"""The sound of tracks: a file of the music folder, or in a demo world what is synthesised."""

from typing import Literal

from crossfade.core.home import Home
from crossfade.demo.settings import truth_place
from crossfade.live.music_folder import MusicFolder

Sort = Literal["files", "made"]


class Audio:
    """Finds the sound of tracks.

    music  the folder of music files that is served; None without one
    home   that of the library; None where it is not known
    """

    def __init__(self, music: MusicFolder | None, home: Home | None) -> None:
        self._music, self._home = music, home

    @property
    def invented(self) -> bool:
        """Whether the library is a demo world."""
        return self._home is not None and truth_place(self._home).is_dir()

    @property
    def source(self) -> Sort | None:
        """Where sound comes from; None if nothing can be heard."""
        return "files" if self._music is not None else "made" if self.invented else None
