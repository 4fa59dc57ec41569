"""What a step is: one artifact to make, described by plain values, and how its completeness is told.

A step is a frozen dataclass whose fields are texts, numbers and tables of them, so that it can be written as JSON and
carried out by any process that sees the home. It names the steps that it needs by their fingerprints. A fingerprint is
a digest of what an artifact is made from, so those of a whole run are known before anything runs: a changed setting
rebuilds what depends on it and nothing else, and a dry run can say what would happen.
"""

import dataclasses
import importlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from crossfade.core.artifacts import Draft, Identity, is_whole, read_manifest
from crossfade.core.errors import ArtifactError
from crossfade.core.home import Home
from crossfade.core.kinds import kind_named
from crossfade.core.progress import Progress, silent

STEPS: Mapping[str, str] = {
    "catalog": "gathering:BuildCatalog",
    "interactions": "gathering:CountInteractions",
    "playlists": "gathering:CountPlaylists",
    "sequences": "gathering:OrderSequences",
    "texts": "gathering:GatherTexts",
    "catalogue": "gathering:NameItems",
    "search": "learning:SearchSettings",
    "fit": "learning:FitModel",
    "keep": "learning:KeepFit",
    "cut": "blending:CutPlays",
    "cut-sequences": "blending:CutSequences",
    "cut-fit": "blending:FitOnCut",
    "weights": "blending:WeighModels",
    "join": "blending:BlendModels",
    "neighbours": "learning:ComputeNeighbours",
    "surface": "learning:BuildSurface",
}
"""The class of each action, as "module:class" in this room; imported only when it is needed."""

FLOOR = 256_000_000
"""Bytes of memory that any step is estimated to take: buffers, and what it works in."""


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a runner gives to a step that it runs.

    threads       processors that the step may use
    memory_bytes  what the step estimated, at most the runner's whole budget
    """

    home: Home
    threads: int
    memory_bytes: int
    progress: Progress = silent


@dataclass(frozen=True, kw_only=True)
class Step(ABC):
    """One artifact to make. Each action is a subclass, registered in `STEPS`.

    kind      the kind of the items that it is about; "" for all kinds
    needs     the fingerprint of each step whose artifact it reads, by that step's name
    imports   the checksum of each import that it reads, by name
    settings  those that its artifact depends on, by name
    """

    action: ClassVar[str]
    label: ClassVar[str]  # its title; names in braces stand for the words of `words`
    copies: ClassVar[int]  # memory that it takes, in sizes of its inputs
    version: ClassVar[int] = 1  # of the layout of its artifact

    kind: str = ""
    needs: Mapping[str, str] = field(default_factory=dict)
    imports: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Unique in a run, such as "interactions-track"; also its directory below ``runs/``."""
        return f"{self.action}-{self.kind}" if self.kind else self.action

    @property
    def title(self) -> str:
        """What it does, for people: "Fit ALS on artists"."""
        return self.label.format(**self.words)

    @property
    def words(self) -> dict[str, str]:
        """What its title is about."""
        return {"plural": kind_named(self.kind).plural} if self.kind else {}

    def memory(self, home: Home) -> int:
        """Estimate the most bytes of memory that running it takes; its inputs must be complete."""
        places = [*(home.listens / name for name in self.imports), *self.inputs(home).values()]
        return FLOOR + self.copies * sum(size for place in places for size, _ in read_manifest(place).files.values())

    @abstractmethod
    def run(self, draft: Draft, context: Context) -> None:
        """Fill the draft from the artifacts of the steps that it needs."""

    @property
    def identity(self) -> Identity:
        """What its artifact is made from."""
        return Identity(
            kind=self.name,
            version=self.version,
            inputs={**self.imports, **self.needs},
            settings=self.settings,
            seed=self.settings.get("seed", 0),
        )

    @property
    def fingerprint(self) -> str:
        """The digest of its identity."""
        return self.identity.fingerprint

    def place(self, home: Home) -> Path:
        """Where its artifact lies."""
        return place_of(home, self.name, self.fingerprint)

    def inputs(self, home: Home) -> dict[str, Path]:
        """Where the artifacts lie that it reads, by the names of their steps."""
        return {name: place_of(home, name, fingerprint) for name, fingerprint in self.needs.items()}

    def is_done(self, home: Home) -> bool:
        """Whether its artifact is there, whole, and made from today's inputs and settings."""
        return is_whole(self.place(home), self.fingerprint)

    @property
    def takes_time(self) -> bool:
        """Whether pages that are complete are published without waiting for it."""
        return True

    @property
    def why_kept(self) -> str:
        """In a few words, why a run doesn't carry out the step; for a step that is done."""
        return "nothing has changed"

    def why(self, home: Home) -> str:
        """In a few words, what has changed since the step last ran; for a step that is not done."""
        if self.place(home).exists():
            return "its files are damaged"
        earlier = _latest(home.runs / self.name)
        if earlier is None:
            return "it has not run yet"
        return "; ".join(_differences(earlier, self.identity)) or "this is another version of Crossfade"

    def to_json(self) -> str:
        """The step as one line of JSON, for `from_json`."""
        return json.dumps({"action": self.action, **asdict(self)}, sort_keys=True)


def from_json(text: str) -> Step:
    """The step that `Step.to_json` wrote."""
    fields = json.loads(text)
    return step_class(fields.pop("action"))(**fields)


def step_class(action: str) -> type[Step]:
    """Import and return the class registered as ``action``."""
    module, _, name = STEPS[action].partition(":")
    found: type[Step] = getattr(importlib.import_module(f"crossfade.pipeline.{module}"), name)
    return found


def place_of(home: Home, step: str, fingerprint: str) -> Path:
    """Where the artifact of a step lies: one directory a fingerprint, so that nothing is ever overwritten."""
    return home.runs / step / fingerprint[:16]


def needing(*steps: Step) -> dict[str, str]:
    """``needs`` of a step that reads the artifacts of these ``steps``."""
    return {step.name: step.fingerprint for step in steps}


def plain(settings: Any) -> dict[str, Any]:
    """``settings`` of a step from an object of a settings class: plain values, as JSON has them, without None."""
    table: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(settings)))
    return {name: value for name, value in table.items() if value is not None}


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
    for name in sorted(earlier.settings.keys() | today.settings.keys()):
        was, is_ = earlier.settings.get(name), today.settings.get(name)
        if was != is_:
            yield f"{name} changed from {was} to {is_}"
    for name in sorted(earlier.inputs.keys() | today.inputs.keys()):
        if name not in earlier.inputs:
            yield f"{name} is new"
        elif name not in today.inputs:
            yield f"{name} is gone"
        elif earlier.inputs[name] != today.inputs[name]:
            yield f"{name} changed"
    if earlier.version != today.version:
        yield "its layout changed with this version of Crossfade"
