"""The job of the 2014 talk: 4 million users × 500 thousand artists, 40 factors, on one machine.

    python -m benchmarks.job_2014 --directory DIR        # some 20 GB of disk; run it again and it goes on

It took 10 hours on Hadoop and 1.5 hours on Spark with 200 executors (C. Johnson, "Music Recommendations at Scale with
Spark", Spark Summit 2014). The pairs are made once, by `benchmarks.generate`, into DIR. The fit keeps its state there:
if it is killed, the same command goes on. DIR also has a log with a line for each half-iteration of each attempt, which
the record is written from, and in the end the space.

"planted taste" is how many of the 20 artists that are recommended to a user are of the user's own group, of 40 groups
that the matrix was drawn from; by chance it would be 1 in 40, and of what users have played three in four are.
"""

import argparse
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import Findings, run_case
from benchmarks.generate import GROUPS, Size, written
from benchmarks.processes import peak_gib
from benchmarks.record import Comparison, Side
from crossfade.core.artifacts import Identity, is_whole, writing
from crossfade.core.interactions import Interactions
from crossfade.core.replacing import remove
from crossfade.models.als import ALS, ALSSettings, FittedALS

ASKED, LISTED = 2000, 20  # users that are asked about, and artists for each


class Log:
    """What happened, one line of JSON each, so that a killed attempt is known by what it did."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, event: str, **said: Any) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps({"event": event, "at": round(time.time(), 3), **said}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        print(f"{time.strftime('%H:%M:%S')} {event} {' '.join(f'{name} {value}' for name, value in said.items())}")

    def read(self) -> Iterable[dict[str, Any]]:
        for line in self.path.read_text().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # a line that a kill cut short


class Watch:
    """A listener to a fit that logs each half-iteration with its seconds, the state that it wrote among them."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.since = time.perf_counter()
        self.turn: int | None = None

    def __call__(self, done: float, total: float | None, unit: str) -> None:
        now = time.perf_counter()
        seconds = round(now - self.since, 3)
        if self.turn is None:
            self.log.write("prepared", seconds=seconds)
        else:
            self.log.write("turn", turn=self.turn, of=total, seconds=seconds, peak_gib=round(peak_gib(), 2))
        self.since, self.turn = now, int(done)


def fitted(
    directory: Path, place: Path, settings: ALSSettings, threads: int, log: Log
) -> tuple[Interactions, FittedALS]:
    """The interactions at ``place`` and the model fitted on them, from the disk if it was finished there."""
    loading = time.perf_counter()
    interactions = Interactions.load(place, kind="artist")
    log.write("loaded", seconds=round(time.perf_counter() - loading, 3))
    saved = Identity(
        kind="benchmark-space", version=2, inputs={"interactions": str(place.name)}, settings=asdict(settings)
    )
    space_place = directory / "space"
    if is_whole(space_place, saved.fingerprint):
        return interactions, FittedALS.load(space_place)
    log.write("attempt", process=os.getpid())
    started = time.perf_counter()
    workspace = directory / "fit"
    model = ALS(settings).fit(interactions, threads=threads, workspace=workspace, progress=Watch(log))
    log.write("fitted", seconds=round(time.perf_counter() - started, 3), peak_gib=round(peak_gib(), 3))
    with writing(space_place, saved) as draft:
        model.save(draft.path)
    remove(workspace)
    return interactions, model


def planted_share(place: Path, interactions: Interactions, model: FittedALS, threads: int) -> float:
    """Of what is recommended to some users, the share that is of their own taste."""
    tastes, genres = np.load(place / "tastes.npy"), np.load(place / "genres.npy")
    users = np.random.default_rng(0).choice(len(tastes), min(ASKED, len(tastes)), replace=False)
    names = interactions.user_ids.select(users)
    found = model.recommend(names, LISTED, exclude=interactions, threads=threads).rows
    return float((genres[found] == tastes[users][:, None])[found >= 0].mean())


def told(log: Log) -> Mapping[str, Any]:
    """The figures of all attempts: seconds of each half-iteration (the last time it was done), and in all."""
    turns: dict[int, float] = {}
    prepared, peaks, attempts, lost = [], [], 0, 0.0
    generated = loaded = float("nan")
    for line in log.read():
        match line["event"]:
            case "attempt":
                attempts += 1
            case "prepared":
                prepared.append(line["seconds"])
            case "turn":
                # A turn that was done again had been lost with the attempt that did it first.
                lost += turns.get(line["turn"], 0.0)
                turns[line["turn"]] = line["seconds"]
                peaks.append(line["peak_gib"])
            case "fitted":
                peaks.append(line["peak_gib"])
            case "generated":
                generated = line["seconds"]
            case "loaded":
                loaded = line["seconds"]
    return {
        "halves": [seconds for _, seconds in sorted(turns.items())],
        "prepared": sum(prepared),
        "lost": lost,
        "attempts": attempts,
        "peak_gib": max(peaks),
        "generated": generated,
        "loaded": loaded,
    }


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--users", type=int, default=4_000_000)
    parser.add_argument("--items", type=int, default=500_000)
    parser.add_argument("--pairs", type=int, default=390_000_000)
    parser.add_argument("--factors", type=int, default=40)
    parser.add_argument("--iterations", type=int, default=20)


def measure(chosen: argparse.Namespace) -> Findings:
    """Generate, fit, and say what all attempts together took."""
    size = Size(users=chosen.users, items=chosen.items, pairs=chosen.pairs)
    threads = max(chosen.threads)
    settings = ALSSettings(factors=chosen.factors, iterations=chosen.iterations)
    name = f"{size.users}x{size.items}x{size.pairs}-{settings.factors}-{settings.iterations}"
    directory = chosen.directory / name
    directory.mkdir(parents=True, exist_ok=True)
    log = Log(directory / "log.jsonl")
    started = time.perf_counter()
    place, was_made = written(chosen.directory, size)
    if was_made:
        log.write("generated", seconds=round(time.perf_counter() - started, 1))
    interactions, model = fitted(directory, place, settings, threads, log)
    found = told(log)
    halves: list[float] = found["halves"]
    # Every iteration solves users, then items; the last entry is the users once more.
    iterations = [users + items for users, items in zip(halves[:-1:2], halves[1::2], strict=True)]
    fit = found["prepared"] + sum(halves) + found["lost"]
    loss = model.loss(interactions, threads=threads)
    side = Side(
        name="crossfade",
        turns=iterations,
        preparation={
            "generating the pairs": found["generated"],
            "loading": found["loaded"],
            "checking, scaling and turning the pairs": found["prepared"],
            "the users once more": halves[-1],
            "done twice": found["lost"],
        },
        figures={
            "fit_minutes": fit / 60,
            "peak_gib": found["peak_gib"],
            "attempts": found["attempts"],
            "loss": loss.total,
            "loss_pairs": loss.pairs,
            "loss_entries": loss.entries,
            "loss_regularization": loss.regularization,
            "planted_taste": planted_share(place, interactions, model, threads),
            "planted_taste_by_chance": 1 / GROUPS,
        },
        curves={"seconds": iterations},
    )
    comparison = Comparison(
        name=f"{size.users:,} users, {size.items:,} items, {size.pairs:,} pairs, {settings.factors} factors",
        unit="an iteration",
        what={**asdict(size), "factors": settings.factors, "iterations": settings.iterations, "threads": threads},
        sides=[side],
    )
    return Findings(comparisons=[comparison])


if __name__ == "__main__":
    run_case(__doc__, options, measure, blas=1)
