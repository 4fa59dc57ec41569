"""The demo world (docs/demo-world.md), split by time: the blend where the input of a model is missing.

    python -m benchmarks.missing

Once with everything; without the playlists that were imported; without texts (tags and prose); and without sequences,
which are plays and playlists in their order. Each time the blend is compared with the models that are left, for
discovery (what is first played after the moment of the split) and for repeats. Settings are searched and weights
learned on cuts of train. No model learns from audio.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.blended import Reports, searched, sides_of
from benchmarks.case import Findings, run_case
from benchmarks.record import Comparison, Value
from crossfade.catalog.build import build_catalog
from crossfade.core.home import Home
from crossfade.demo.importing import import_demo
from crossfade.demo.settings import DEFAULT, DemoSettings
from crossfade.evaluate.comparing import compare
from crossfade.evaluate.library import How, LibrarySplit, Source, split_library
from crossfade.importing.library import tables_of
from crossfade.models.blend import BlendSettings
from crossfade.models.registry import model_class
from crossfade.pipeline.settings import Settings

MODELS = ("als", "cooccurrence", "cultural", "logistic", "popularity", "vector_exp", "word2vec")
K = 20
PLAYLISTS = ("playlists", "playlist_items")


def options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listeners", type=int, default=DEFAULT.listeners, help="of the world")
    parser.add_argument("--days", type=int, default=DEFAULT.days, help="of its history")
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    parser.add_argument("--seed", type=int, default=DEFAULT.seed, help="of the world")


def measure(chosen: argparse.Namespace) -> Findings:
    """One comparison with everything, and one for each input that is missing."""
    world = DemoSettings(
        listeners=chosen.listeners,
        artists=chosen.listeners * DEFAULT.artists // DEFAULT.listeners,
        playlists=chosen.listeners * DEFAULT.playlists // DEFAULT.listeners,
        days=chosen.days,
        seed=chosen.seed,
    )
    comparisons = []
    with tempfile.TemporaryDirectory() as scratch:
        home = Home(Path(scratch) / "home")
        import_demo(home, world)
        tables = tables_of(home)
        whole = split_of(tables, Path(scratch) / "whole")
        for what, split, models in (
            ("nothing missing", whole, chosen.models),
            (
                "no playlists",
                split_of({name: one for name, one in tables.items() if name not in PLAYLISTS}, Path(scratch) / "cut"),
                chosen.models,
            ),
            ("no texts", whole, without(chosen.models, "texts")),
            ("no sequences", whole, without(chosen.models, "sequences")),
        ):
            about: dict[str, Value] = {"users": len(split.train.user_ids), "artists": len(split.train.item_ids)}
            sides = sides_of(reports_of(split, models, max(chosen.threads)), K)
            comparisons.append(Comparison(name=what, unit="a fit", what=about, sides=sides))
    return Findings(comparisons=comparisons)


def split_of(tables: Mapping[str, Sequence[Path]], place: Path) -> LibrarySplit:
    """The library of these ``tables`` split by time, with the inputs of all models."""
    place.mkdir()
    build_catalog(tables, place)
    settings = Settings({})
    source = Source(
        tables=tables,
        catalog=place,
        interactions=settings.section("interactions"),
        sequences=settings.section("sequences"),
    )
    how = How(way="temporal", cut=BlendSettings().hidden)
    return split_library(source, "artist", how, ("interactions", "sequences", "texts"))[0]


def without(models: Sequence[str], missing: str) -> list[str]:
    """The models that do not learn from what is missing."""
    return [name for name in models if model_class(name).learns_from != missing]


def reports_of(split: LibrarySplit, models: Sequence[str], threads: int) -> dict[str, Reports]:
    """The blend of the ``models`` and each of them: of discovery, and of repeats."""
    compared = compare(
        ["blend", *models],
        split,
        k=K,
        settings={**searched(models, split.train, threads), "blend": {"models": tuple(models)}},
        pages=False,
        percentile_ranks=False,
        threads=threads,
        jobs=1,
    )
    again = {name: report.repeats for name, report in compared.reports.items() if report.repeats is not None}
    return {"": compared.reports, "repeats, ": again}


if __name__ == "__main__":
    run_case(__doc__, options, measure)
