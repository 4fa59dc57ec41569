"""The sound of tracks: a file of the music folder, or in a demo world what is synthesised."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from crossfade.core.errors import InputError, UnknownIdError
from crossfade.core.home import Home
from crossfade.demo.sounds import Sounds
from crossfade.formats.audio_tags import CONTENT_TYPES
from crossfade.live.music import Song
from crossfade.live.music_folder import MusicFolder
from crossfade.stores.contract import Item, Tables
from crossfade.stores.live import ItemRef, Track

Source = Literal["files", "made"]

KIND = "track"
"""What can be heard."""


class Heard(NamedTuple):
    """A file of sound, its type, and whether it never changes."""

    path: Path
    media_type: str
    fixed: bool


class Audio:
    """Finds the sound of tracks; safe to use from any number of threads.

    music  the folder of music files that is served; None without one
    home   that of the library; None where it is not known
    """

    def __init__(self, music: MusicFolder | None, home: Home | None) -> None:
        self._music = music
        self._sounds = None if home is None else Sounds(home)

    @property
    def invented(self) -> bool:
        """Whether the library is a demo world."""
        return self._sounds is not None and self._sounds.invented

    @property
    def source(self) -> Source | None:
        """Where sound comes from; None if nothing can be heard."""
        return "files" if self._music is not None else "made" if self.invented else None

    def prepare(self) -> None:
        """Have the sound of a demo world ready to be made."""
        if self._sounds is not None:
            self._sounds.prepare()

    def playable(self, tables: Tables, ids: Sequence[str]) -> list[str]:
        """Return those of the tracks ``ids`` that can be heard, in their order."""
        return [one for one in ids if self._is_made(one) or self._song(tables, one) is not None]

    def heard(self, tables: Tables, text: str) -> Heard:
        """Return the sound of a track by its id or name: of the music folder if it is there.

        Raises UnknownIdError if there is no such track, or no sound of it.
        """
        item = tables.item(KIND, text)
        song = self._song(tables, item.id, item)
        if song is not None and self._music is not None:
            try:
                path = self._music.path_of(song)
            except InputError as error:
                raise UnknownIdError(f"The file of {item.name!r} is gone from the music folder.") from error
            return Heard(path, CONTENT_TYPES[song.file.relative.suffix.lower()], fixed=False)
        if self._sounds is not None and self._is_made(item.id):
            return Heard(self._sounds.path_of(item.id), "audio/wav", fixed=True)
        raise UnknownIdError(f"{item.name!r} cannot be heard: the music folder has no file of it.")

    def in_order(self, tables: Tables, tracks: Sequence[Item]) -> list[Item]:
        """Return the ``tracks`` of an album in the order of the music folder's album, those that it lacks last."""
        songs = {item.id: self._song(tables, item.id, item) for item in tracks}
        first = next((song for song in songs.values() if song is not None), None)
        album = None if self._music is None or first is None else self._music.music().albums.get(first.album_id)
        places = {} if album is None else {song.id: place for place, song in enumerate(album.songs)}

        def place(item: Item) -> int:
            song = songs[item.id]
            return len(places) if song is None else places.get(song.id, len(places))

        return sorted(tracks, key=place)

    def _is_made(self, track_id: str) -> bool:
        return self._sounds is not None and self._sounds.has(track_id)

    def _song(self, tables: Tables, track_id: str, item: Item | None = None) -> Song | None:
        """The song of the music folder that is this track."""
        if self._music is None:
            return None
        item = item or tables.find(KIND, track_id)
        if item is None:
            return None
        artist = None if item.parent is None else item.parent.name
        return self._music.music().find(Track(item=ItemRef(KIND, item.id), title=item.name, artist=artist))
