"""What one run of a case found: the structure of the files in benchmarks/results/.

    Record ─ the case, its settings, the machine with its limits, versions, peers that could not take part
      Comparison ─ the same work done by several sides in turns, in one process or one run
        Side ─ ours, a peer, or a limit that no side can pass: seconds of each turn, and figures

The docs are rendered from these files and the guard compares them, so a case writes everything that it wants said.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

SCHEMA = 1
DIGITS = 5  # significant; the spread of any timing is wider
RESULTS = Path(__file__).parent / "results"

Value = str | int | float | bool | list[Any] | None
Kind = Literal["ours", "peer", "limit"]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of a comparison."""

    name: str  # unique within the comparison: "crossfade", "voyager 128"
    kind: Kind = "ours"  # "limit": the least that any side has to do, such as reading the file
    turns: Sequence[float] = ()  # seconds, in the order in which they were taken; empty where nothing is timed
    processor: Sequence[float] = ()  # processor seconds of each turn, of all threads together; empty if unknown
    preparation: Mapping[str, float] = field(default_factory=dict)  # seconds not counted: "build", "warm-up", …
    figures: Mapping[str, Value] = field(default_factory=dict)  # anything else measured: "recall", "peak_gib", …
    curves: Mapping[str, Sequence[float]] = field(default_factory=dict)  # of one length: "seconds", "loss", …

    @property
    def median(self) -> float:
        """Seconds of the median turn; NaN where nothing is timed."""
        return float(np.median(self.turns)) if len(self.turns) else float("nan")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The same work, done by every side."""

    name: str  # unique within the record: "64 factors, conjugate gradients"
    unit: str  # what one turn does: "an iteration", "1,000 queries"
    what: Mapping[str, Value] = field(default_factory=dict)  # what sets it apart: factors, solver, threads, metric
    sides: Sequence[Side] = ()

    def __post_init__(self) -> None:
        names = [side.name for side in self.sides]
        if len(set(names)) < len(names):
            raise ValueError(f"{self.name}: two sides have one name among {names}")

    def side(self, name: str) -> Side:
        """The side of that name; KeyError says which there are."""
        for side in self.sides:
            if side.name == name:
                return side
        raise KeyError(f"{self.name} has no side {name!r}, only {[side.name for side in self.sides]}")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where it ran, and the limits measured in the same run."""

    processor: str
    processors: int
    memory_gib: float
    system: str
    python: str
    gflops: float | None = None  # float32 multiply-adds in registers, 10⁹ operations a second, all threads
    gigabytes: float | None = None  # read from memory in order, 10⁹ bytes a second, all threads


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run of one case."""

    case: str  # the name it is registered under, and of its file
    command: str
    threads: list[int]
    settings: Mapping[str, Value]
    machine: Machine
    versions: Mapping[str, str]
    comparisons: Sequence[Comparison]
    skipped: Mapping[str, str] = field(default_factory=dict)  # peer: why it did not take part
    schema: int = SCHEMA

    def comparison(self, name: str) -> Comparison:
        """The comparison of that name; KeyError says which there are."""
        for comparison in self.comparisons:
            if comparison.name == name:
                return comparison
        raise KeyError(f"{self.case} has no comparison {name!r}, only {[each.name for each in self.comparisons]}")

    def write(self, path: Path) -> None:
        """As JSON, one number list a line, so that two runs can be read side by side."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_json(_rounded(dataclasses.asdict(self))) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Record":
        """What `write` wrote; ValueError if it is of another structure."""
        found = json.loads(path.read_text())
        if not isinstance(found, dict) or found.get("schema") != SCHEMA:
            raise ValueError(f"{path} is not a record of structure {SCHEMA}; run its case again")
        try:
            comparisons = [
                Comparison(**{**one, "sides": [Side(**side) for side in one["sides"]]}) for one in found["comparisons"]
            ]
            return cls(**{**found, "machine": Machine(**found["machine"]), "comparisons": comparisons})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a record of structure {SCHEMA}: {error}; run its case again") from error


def ratios(ours: Side, others: Sequence[Side]) -> np.ndarray:
    """(turns,) how many times as fast ours was as the others, turn by turn, the geometric mean over ``others``.

    Sides of one turn ran under the same load, so these bear a busy machine better than seconds do.
    """
    turns = min(len(side.turns) for side in (ours, *others))
    logs = [np.log(np.asarray(side.turns[:turns]) / np.asarray(ours.turns[:turns])) for side in others]
    return np.exp(np.mean(logs, axis=0))


def _rounded(value: Any) -> Any:
    """The same with floats of `DIGITS` significant digits, and numbers of NumPy as Python's."""
    if isinstance(value, Mapping):
        return {str(key): _rounded(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_rounded(one) for one in value]
    if isinstance(value, np.generic):
        return _rounded(value.item())
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
    return value


def _json(value: Any, indent: str = "") -> str:
    """JSON whose lists of plain values stand on one line."""
    deeper = indent + "  "
    if isinstance(value, dict) and value:
        inner = [f"{deeper}{json.dumps(key)}: {_json(one, deeper)}" for key, one in value.items()]
        return "{\n" + ",\n".join(inner) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(one, (dict, list)) for one in value):
        return "[\n" + ",\n".join(deeper + _json(one, deeper) for one in value) + f"\n{indent}]"
    return json.dumps(value, ensure_ascii=False)
