"""The sound of a demo world's tracks: some 25 seconds of synthesised music each, made from what the track is.

The genre's family gives drums, bass and timbres, the tempo the beat, energy how much is played and how loud the drums
are, brightness the scale and the overtones, and the seed the chords and the melody. A note is one cycle of a wave, read
at the note's pitch and shaped by an envelope. The same track always sounds the same. It takes 25 to 75 ms of one
processor.
"""

import io
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from crossfade.demo.genres import GENRES

RATE = 22_050
"""Samples a second, one channel, 16 bits."""

SECONDS = 25.0
"""Of a track, to the next whole bar."""

_LOUDNESS = 0.14  # root mean square of all tracks, of 1
_FADE_OUT = 2.0  # seconds
_CYCLE = 2_048  # samples of a wave
_STEPS = 16  # of a bar

Samples = npt.NDArray[np.float32]

_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_CHORDS = ((0, 4, 5, 3), (0, 5, 3, 4), (0, 3, 4, 4), (5, 3, 0, 4), (0, 0, 3, 4), (0, 2, 3, 4))  # degrees, a bar each


@dataclass(frozen=True)
class _Band:
    """How a family of genres is played; each pattern has a letter for each sixteenth of a bar, "." for nothing.

    kick, snare, hat  drums; "x" hits, "o" hits softly
    bass              "x" plays the chord's root, "o" its fifth
    chords            when the chord is struck; "-" lets it sound for the whole bar
    lead, back        overtones of the melody and of the chords: their strengths from the first on
    decay             seconds in which a note of the melody dies away
    swing             how late every second eighth comes, of a sixteenth
    """

    kick: str
    snare: str
    hat: str
    bass: str
    chords: str
    lead: Sequence[float]
    back: Sequence[float]
    decay: float
    swing: float


_NOTHING = "." * _STEPS
_PIANO, _ORGAN = (1, 0.5, 0.3, 0.18, 0.1), (1, 0.6, 0.05, 0.4, 0.0, 0.2)
_PLUCKED, _BOWED = (1, 0.7, 0.5, 0.35, 0.25, 0.18, 0.12), (1, 0.5, 0.6, 0.3, 0.35, 0.2)
_SQUARE, _REED = (1, 0, 0.33, 0, 0.2, 0, 0.14), (1, 0.1, 0.7, 0.1, 0.4, 0.05, 0.2)
_SOFT, _SAW = (1, 0.15), (1, 0.5, 0.33, 0.25, 0.2, 0.17, 0.14, 0.12)


def _band(patterns: str, lead: Sequence[float], back: Sequence[float], decay: float = 0.5, swing: float = 0.0) -> _Band:
    kick, snare, hat, bass, chords = patterns.split()
    return _Band(kick, snare, hat, bass, chords, lead, back, decay, swing)


_ROCK = _band("x.......x.x..... ....x.......x... x.x.x.x.x.x.x.x. x.x.x.x.x.x.x.x. x.....x.x.....x.", _SAW, _SAW)
_SLOW = _band(
    "................ ................ ................ x............... -...............", _SOFT, _ORGAN, 1.6
)

_BANDS = {
    "rock": _ROCK,
    "metal": _band(
        "x.xxx.xxx.xxx.xx ....x.......x... x...x...x...x... x.xxx.xxx.xxx.xx x.x.x.x.x.x.x.x.", _SAW, _SAW, 0.3
    ),
    "pop": _band(
        "x.....x.x....... ....x.......x... x.x.x.x.x.x.x.x. x..x..x.x..x..x. -...............", _SQUARE, _SOFT
    ),
    "electronic": _band(
        "x...x...x...x... ....o.......o... ..x...x...x...x. ..x...x...x...x. x..x..x...x..x..", _SAW, _SAW, 0.25
    ),
    "hip hop": _band(
        "x..x......x..... ....x.......x... x.x.x.xxx.x.x.x. x..x......x...o. x...............", _PIANO, _PIANO, 0.6, 0.5
    ),
    "soul": _band(
        "x..x..x...x..... ....x..o.o..x... x.x.x.x.x.x.x.x. x..x.ox...x.o... ..x...x...x...x.", _REED, _ORGAN, 0.5, 0.25
    ),
    "jazz": _band(
        "x.........o..... ......o......o.. x...x.x.x...x.x. x...o...x...o... ....x.....x.....", _REED, _PIANO, 0.5, 0.66
    ),
    "classical": _band(
        "................ ................ ................ x.......o....... x.x.x.x.x.x.x.x.", _PIANO, _PIANO, 1.2
    ),
    "folk": _band(
        "................ ................ ....o.......o... x.......o....... x.x.x.xxx.x.x.x.", _PLUCKED, _PLUCKED, 0.8
    ),
    "country": _band(
        "x.......x....... ....o.......o... ..x...x...x...x. x.......o....... ....x.......x...", _PLUCKED, _PLUCKED
    ),
    "blues": _band(
        "x.......x....... ....x.......x... x..xx..xx..xx..x x...x...o...o... x.....x.........", _SAW, _ORGAN, 0.5, 0.66
    ),
    "reggae": _band(
        "........x....... ........x....... x.x.x.x.x.x.x.x. x.....o.x..x.... ....x.......x...", _ORGAN, _ORGAN, 0.3
    ),
    "latin": _band(
        "x.....x.x.....x. ...o..o...o.o... x.xxx.xxx.xxx.xx x.....o.x.....o. x..x..x...x.x...", _PIANO, _PLUCKED, 0.4
    ),
    "african": _band(
        "x..x..x.x..x..x. ....o..o....o... x.xxx.xxx.xxx.xx x..x..o...x.o... ..x..x....x..x..", _PLUCKED, _PLUCKED, 0.3
    ),
}

_OTHERWISE = {
    "ambient": _SLOW,
    "choral": _SLOW,
    "post-rock": _band(
        "x.......x....... ........x....... x...x...x...x... x.x.x.x.x.x.x.x. -...............", _PLUCKED, _BOWED, 1.2
    ),
    "dream pop": _band(
        "x.......x....... ....x.......x... x...x...x...x... x.x.x.x.x.x.x.x. -...............", _SOFT, _BOWED, 1.2
    ),
    "drum and bass": _band(
        "x.........x..... ....x.......x... x.x.x.x.x.x.x.x. x.....x...x..... -...............", _SOFT, _BOWED
    ),
    "chamber music": _band(
        "................ ................ ................ x.......o....... -...............", _BOWED, _BOWED, 1.0
    ),
    "doom metal": _band(
        "x.......x....... ........x....... x...x...x...x... x............... x.......x.......", _SAW, _SAW, 1.2
    ),
    "bossa nova": _band(
        "x.....x.x.....x. x..o..o...o..o.. oooooooooooooooo x.....o.x.....o. ..x..x..x..x..x.", _SOFT, _PLUCKED, 0.6
    ),
}
"""Genres that are not played like the others of their family."""

_FAMILIES = {genre.name: genre.family for genre in GENRES}


@dataclass(frozen=True)
class Sound:
    """What a track sounds like.

    genre       one of `crossfade.demo.genres.GENRES`
    tempo       beats a minute, above 0
    energy      0 (hushed) to 1 (furious)
    brightness  0 (dark) to 1 (sunny)
    seed        of chords and melody
    """

    genre: str
    tempo: float
    energy: float
    brightness: float
    seed: int


def synthesised(sound: Sound) -> bytes:
    """Return ``sound`` as a WAV file of 16 bits, `RATE` samples a second and one channel."""
    samples = _played(sound)
    with io.BytesIO() as file:
        with wave.open(file, "wb") as written:
            written.setnchannels(1)
            written.setsampwidth(2)
            written.setframerate(RATE)
            written.writeframes((samples * 32_767).astype("<i2").tobytes())
        return file.getvalue()


def _played(sound: Sound) -> Samples:
    """The samples, between -1 and 1."""
    rng = np.random.default_rng(sound.seed)
    band = _OTHERWISE.get(sound.genre) or _BANDS[_FAMILIES[sound.genre]]
    # What is written at twice the beat is played at half of it.
    tempo = sound.tempo / 2 if sound.tempo > 150 else sound.tempo
    step = 15.0 / tempo  # seconds
    bars = max(4, round(SECONDS / (step * _STEPS)))
    track = _Track(bars, step, band.swing)
    scale = _MAJOR if sound.brightness + rng.normal(0, 0.1) > 0.5 else _MINOR
    root = 45 + int(rng.integers(0, 12))
    chords = _CHORDS[int(rng.integers(len(_CHORDS)))]
    dark = 0.35 + 0.9 * sound.brightness  # of 1: how strong overtones are
    drums = 0.0 if sound.energy < 0.2 else 0.35 + 0.75 * sound.energy
    motif = _motif(rng, 0.25 + 0.5 * sound.energy)
    lead, back = _wave(tuple(band.lead), dark), _wave(tuple(band.back), dark)
    bass = _wave((1.0, 0.4, 0.15), dark)
    for bar in range(bars):
        degree = chords[bar % 4]
        _drums(track, bar, band, drums, fill=bar % 4 == 3, rng=rng)
        for place, letter in _letters(band.bass):
            pitch = root - 12 + _pitch(scale, degree + (4 if letter == "o" else 0))
            track.add(bar, place, _note(bass, pitch, step * 3, 0.6), 0.5)
        for place, letter in _letters(band.chords):
            length = step * (_STEPS if letter == "-" else 4)
            for third in (0, 2, 4):
                pitch = root + 12 + _pitch(scale, degree + third)
                track.add(bar, place, _note(back, pitch, length, length, soft=letter == "-"), 0.16)
        if bar >= 2:  # an introduction comes first
            for place, move, length in motif[bar % 2]:
                pitch = root + 24 + _pitch(scale, degree + move)
                track.add(bar, place, _note(lead, pitch, step * length + band.decay, band.decay), 0.3)
    return _finished(track.samples)


class _Track:
    """The samples of ``bars``, to which sounds are added."""

    def __init__(self, bars: int, step: float, swing: float) -> None:
        self.samples: Samples = np.zeros(int(bars * _STEPS * step * RATE), dtype=np.float32)
        self._step, self._swing = step, swing

    def add(self, bar: int, place: int, sound: Samples, loudness: float) -> None:
        """Add ``sound`` from a sixteenth of a bar on."""
        late = self._swing if place % 4 == 2 else 0.0
        start = int((bar * _STEPS + place + late) * self._step * RATE)
        part = self.samples[start : start + len(sound)]
        part += np.float32(loudness) * sound[: len(part)]


def _letters(pattern: str) -> list[tuple[int, str]]:
    return [(place, letter) for place, letter in enumerate(pattern) if letter != "."]


def _pitch(scale: Sequence[int], degree: int) -> int:
    """Semitones of a degree of a scale above its root."""
    octave, place = divmod(degree, len(scale))
    return 12 * octave + scale[place]


def _motif(rng: np.random.Generator, density: float) -> list[list[tuple[int, int, int]]]:
    """Two bars of a melody: where a note begins, degrees above the chord's root, and sixteenths that it lasts."""
    bars: list[list[tuple[int, int, int]]] = []
    move = int(rng.choice([0, 2, 4]))
    for _ in range(2):
        starts = [place for place in range(0, _STEPS, 2) if place == 0 or rng.random() < density]
        notes = []
        for place, end in zip(starts, [*starts[1:], _STEPS], strict=True):
            # Chord tones on the beat, steps between them.
            move = int(rng.choice([0, 2, 4, 7])) if place % 8 == 0 else move + int(rng.choice([-2, -1, 1, 2]))
            move = min(max(move, -3), 9)
            notes.append((place, move, end - place))
        bars.append(notes)
    return bars


def _drums(track: _Track, bar: int, band: _Band, loudness: float, *, fill: bool, rng: np.random.Generator) -> None:
    if not loudness:
        return
    for pattern, sound, share in ((band.kick, _kick(), 0.9), (band.snare, _snare(), 0.55), (band.hat, _hat(), 0.22)):
        for place, letter in _letters(pattern):
            track.add(bar, place, sound, loudness * share * (1.0 if letter == "x" else 0.5))
    if fill and band.snare != _NOTHING:
        for place in (13, 14, 15):
            if rng.random() < 0.6:
                track.add(bar, place, _snare(), 0.3 * loudness)


@lru_cache(maxsize=256)
def _wave(overtones: tuple[float, ...], dark: float) -> Samples:
    """One cycle of a sound with such overtones, the later ones weaker the darker it is."""
    phase = np.arange(_CYCLE) * (2 * np.pi / _CYCLE)
    strengths = [strength * min(1.0, dark) ** number for number, strength in enumerate(overtones)]
    cycle = sum(strength * np.sin(number * phase) for number, strength in enumerate(strengths, start=1))
    return np.asarray(cycle / sum(strengths), dtype=np.float32)


def _note(cycle: Samples, pitch: int, seconds: float, decay: float, *, soft: bool = False) -> Samples:
    """A note of ``seconds`` that dies away in ``decay``; a soft one swells first."""
    count = int(seconds * RATE)
    frequency = 440.0 * 2.0 ** ((pitch - 69) / 12)
    phase = np.arange(count, dtype=np.float32) * np.float32(frequency * _CYCLE / RATE)
    sound = cycle[phase.astype(np.int32) & (_CYCLE - 1)]
    envelope = np.exp(np.arange(count, dtype=np.float32) * np.float32(-2.5 / (decay * RATE)))
    rise = min(count, int((0.25 if soft else 0.006) * RATE))
    envelope[:rise] *= np.linspace(0.0, 1.0, rise, dtype=np.float32)
    fall = min(count, int(0.02 * RATE))
    envelope[count - fall :] *= np.linspace(1.0, 0.0, fall, dtype=np.float32)
    return np.asarray(sound * envelope)


@lru_cache(maxsize=1)
def _kick() -> Samples:
    at = np.arange(int(0.22 * RATE)) / RATE
    return np.asarray(np.sin(2 * np.pi * (45 * at + 3.2 * (1 - np.exp(-30 * at)))) * np.exp(-14 * at), dtype=np.float32)


@lru_cache(maxsize=1)
def _snare() -> Samples:
    at = np.arange(int(0.18 * RATE)) / RATE
    noise = np.random.default_rng(1).standard_normal(len(at))
    return np.asarray((0.4 * noise + 0.5 * np.sin(2 * np.pi * 185 * at)) * np.exp(-22 * at), dtype=np.float32)


@lru_cache(maxsize=1)
def _hat() -> Samples:
    at = np.arange(int(0.05 * RATE)) / RATE
    noise = np.diff(np.random.default_rng(2).standard_normal(len(at) + 1))
    return np.asarray(0.6 * noise * np.exp(-80 * at), dtype=np.float32)


def _finished(samples: Samples) -> Samples:
    """The same as loud as every track, without clipping, and with an end."""
    loudness = float(np.sqrt(np.mean(samples * samples))) or 1.0
    limited = np.tanh(samples * np.float32(_LOUDNESS / loudness))
    limited *= np.float32(_LOUDNESS / (float(np.sqrt(np.mean(limited * limited))) or 1.0))
    fade = min(len(limited), int(_FADE_OUT * RATE))
    limited[len(limited) - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    finished: Samples = np.clip(limited, -1.0, 1.0)
    return finished
