"""What each step took when it ran: a line of JSON a step in ``runs/journal.jsonl``.

Artifacts say what they were made from and nothing of the hour, so that equal inputs give equal bytes. When they were
made, and how long that took, stands here. Only the holder of the home's lock writes.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from crossfade.core.artifacts import translated_storage_errors, write_file
from crossfade.core.home import Home
from crossfade.pipeline.steps import Step, place_of

JOURNAL = "journal.jsonl"


@dataclass(frozen=True, kw_only=True)
class Took:
    """One run of one step.

    fingerprint  of the artifact that it made
    finished     seconds since 1970
    seconds      how long it ran
    peak_bytes   the most memory that the process held meanwhile
    """

    step: str
    fingerprint: str
    finished: float
    seconds: float
    peak_bytes: int


def note(home: Home, step: Step, seconds: float, peak_bytes: int) -> None:
    """Add that ``step`` has just run."""
    took = Took(
        step=step.name,
        fingerprint=step.fingerprint,
        finished=round(time.time(), 3),
        seconds=round(seconds, 3),
        peak_bytes=peak_bytes,
    )
    path = home.runs / JOURNAL
    with translated_storage_errors(path), path.open("a", encoding="utf-8") as lines:
        # Begins a line of its own even after one that a power loss tore.
        lines.write("\n" + json.dumps(asdict(took)))


def latest(home: Home) -> dict[tuple[str, str], Took]:
    """The latest run that made each artifact, by the name of its step and the artifact's fingerprint."""
    return {(took.step, took.fingerprint): took for took in _lines(home)}


def prune(home: Home) -> None:
    """Drop what is noted of artifacts that are no longer there."""
    took = latest(home)
    kept = [one for one in took.values() if place_of(home, one.step, one.fingerprint).exists()]
    if len(kept) < len(took):
        write_file(home.runs / JOURNAL, "\n".join(json.dumps(asdict(one)) for one in kept).encode())


def _lines(home: Home) -> Iterator[Took]:
    try:
        text = (home.runs / JOURNAL).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            yield Took(**json.loads(line))
        except (ValueError, TypeError):
            continue
