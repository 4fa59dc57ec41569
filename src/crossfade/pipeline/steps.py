"""What a step is, and how its completeness is told.

A step is a plain function that fills one artifact from others. Because an artifact's fingerprint is a digest
of what it is made from, the fingerprint of every step of a run is known before anything runs: that is how a
changed setting rebuilds what depends on it and nothing else, and how a dry run can say what would happen.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from crossfade.core.artifacts import Draft, Identity, is_whole, read_manifest
from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.core.progress import Progress

Work = Callable[[Draft, Mapping[str, Path], Progress], None]
"""Fills the draft from the finished artifacts of the steps it needs, by their names."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One artifact to make.

    name      also its directory below ``runs/``
    title     what it does, for people, as "Learn taste: ALS on artists"
    needs     the steps whose artifacts it reads
    identity  what it is made from; names the fingerprints of its needs
    work      makes it
    """

    name: str
    title: str
    needs: tuple["Step", ...]
    identity: Identity
    work: Work

    def place(self, home: Home) -> Path:
        """Where its artifact lies."""
        return place_of(home, self.name, self.identity.fingerprint)

    def is_done(self, home: Home) -> bool:
        """Whether its artifact is there, whole, and made from today's inputs and settings."""
        return is_whole(self.place(home), self.identity.fingerprint)

    def why(self, home: Home) -> str:
        """In a few words, what has changed since the step last ran; for a step that is not done."""
        if self.place(home).exists():
            return "its files are damaged"
        earlier = _latest(home.runs / self.name)
        if earlier is None:
            return "it has not run yet"
        return "; ".join(_differences(earlier, self.identity)) or "Crossfade is another version"


def place_of(home: Home, step: str, fingerprint: str) -> Path:
    """Where the artifact of a step lies: one directory a fingerprint, so that nothing is ever overwritten."""
    return home.runs / step / fingerprint[:16]


def make_step(
    name: str,
    title: str,
    work: Work,
    *,
    kind: str,
    version: int = 1,
    needs: tuple[Step, ...] = (),
    inputs: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Step:
    """A step whose identity names its needs, and what else it reads, by fingerprint."""
    identity = Identity(
        kind=kind,
        version=version,
        inputs={**(inputs or {}), **{need.name: need.identity.fingerprint for need in needs}},
        settings=settings or {},
        seed=seed,
    )
    return Step(name=name, title=title, needs=needs, identity=identity, work=work)


def in_order(*wanted: Step) -> list[Step]:
    """The steps that are ``wanted`` and all that they need, each after its own needs, each once."""
    ordered: list[Step] = []

    def visit(step: Step) -> None:
        for need in step.needs:
            visit(need)
        if step not in ordered:
            ordered.append(step)

    for step in wanted:
        visit(step)
    return ordered


def _latest(directory: Path) -> Identity | None:
    places = sorted(
        (place for place in directory.glob("[0-9a-f]*") if place.is_dir()), key=lambda place: place.stat().st_mtime
    )
    for place in reversed(places):
        try:
            return read_manifest(place).identity
        except ArtifactError:
            continue
    return None


def _differences(earlier: Identity, today: Identity) -> Iterator[str]:
    before, now = asdict(earlier), asdict(today)
    for name in sorted(before["settings"].keys() | now["settings"].keys()):
        was, is_ = before["settings"].get(name), now["settings"].get(name)
        if was != is_:
            yield f"{name} changed from {was} to {is_}"
    for name in sorted(before["inputs"].keys() | now["inputs"].keys()):
        was, is_ = before["inputs"].get(name), now["inputs"].get(name)
        if was is None:
            yield f"{name} is new"
        elif is_ is None:
            yield f"{name} is gone"
        elif was != is_:
            yield f"{name} changed"
    if before["seed"] != now["seed"]:
        yield f"the seed changed from {before['seed']} to {now['seed']}"
    if before["version"] != now["version"]:
        yield "its layout changed with this version of Crossfade"
