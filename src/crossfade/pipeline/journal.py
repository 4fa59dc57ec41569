"""When each step ran and what that took: a line of JSON a step in ``runs/journal.jsonl``.

Artifacts do not say when they were made, so that equal inputs give equal bytes. The holder of the home's lock writes.
"""

import json
import time
from dataclasses import asdict, dataclass

from crossfade.core.artifacts import translated_storage_errors, write_file
from crossfade.core.home import Home
from crossfade.core.replacing import private
from crossfade.pipeline.steps import Step, place_of

JOURNAL = "journal.jsonl"


@dataclass(frozen=True, kw_only=True)
class Took:
    """One run of one step.

    fingerprint  of the artifact that it made
    finished     seconds since 1970
    peak_bytes   the most memory that the process used meanwhile
    """

    step: str
    fingerprint: str
    finished: float
    seconds: float
    peak_bytes: int


def note(home: Home, step: Step, seconds: float, peak_bytes: int) -> None:
    """Add that ``step`` has just run."""
    took = {"finished": round(time.time(), 3), "seconds": round(seconds, 3), "peak_bytes": peak_bytes}
    path = home.runs / JOURNAL
    with translated_storage_errors(path), open(path, "a", encoding="utf-8", opener=private) as lines:
        # Begins a line of its own even after one that a power loss tore.
        lines.write("\n" + json.dumps({"step": step.name, "fingerprint": step.fingerprint, **took}))


def latest(home: Home) -> dict[tuple[str, str], Took]:
    """Return the latest run that made each artifact, by the name of its step and the artifact's fingerprint."""
    runs = {}
    path = home.runs / JOURNAL
    for line in path.read_text("utf-8", "replace").splitlines() if path.exists() else ():
        try:
            took = Took(**json.loads(line))
        except (ValueError, TypeError):
            continue  # a line that was torn
        runs[took.step, took.fingerprint] = took
    return runs


def prune(home: Home) -> None:
    """Drop the lines of artifacts that no longer exist."""
    took = latest(home)
    kept = [one for one in took.values() if place_of(home, one.step, one.fingerprint).exists()]
    if len(kept) < len(took):
        write_file(home.runs / JOURNAL, "\n".join(json.dumps(asdict(one)) for one in kept).encode())
