"""Commands about models: which are fitted, and how good they are."""

import json
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from crossfade.cli.display import Display, progress_of, shown
from crossfade.cli.options import complete_models, home_option, json_option
from crossfade.cli.output import Column, counted, print_json, print_table, say, size
from crossfade.core.artifacts import write_file
from crossfade.core.home import Home
from crossfade.core.kinds import KINDS
from crossfade.core.paths import shown as printed
from crossfade.pipeline.settings import MAX_THREADS

if TYPE_CHECKING:
    from crossfade.evaluate.comparison import Comparison
    from crossfade.evaluate.searching import Found

FORMS = click.Choice(("auto", "lists", "pairs"))
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@json_option
@home_option
def models(home: Home, as_json: bool) -> None:
    """Show which models are fitted on what, when, and how long it took; for the others, why not."""
    from crossfade.pipeline.fitted import model_states

    states = model_states(home)
    if as_json:
        print_json(states)
        return
    print_table(
        [
            Column("model", "name"),
            Column("state"),
            Column("rows", "prose"),
            Column("fitted at", "name", optional=2),
            Column("seconds", "number", optional=1),
            Column("memory", "number", optional=1),
        ],
        [
            [
                state["name"],
                state["state"],
                counted(state["rows"]) if "rows" in state else state["why"],
                _moment(state["finished"]) if "finished" in state else "",
                f"{state['seconds']:.1f}" if "seconds" in state else "",
                size(state["peak_bytes"]) if "peak_bytes" in state else "",
            ]
            for state in states
        ],
    )


@click.command()
@click.option("--train", type=_FILE, help="A file to fit models on, instead of a library.")
@click.option("--test", type=_FILE, help="The file to measure them on then.")
@click.option(
    "--model",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_models,
    help="A model to fit; may be repeated. By default all of the settings, or of files all that learn from pairs.",
)
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME.SETTING=VALUE",
    help="A setting of a model, such as als.factors=128; may be repeated.",
)
@click.option(
    "--search/--no-search",
    default=True,
    show_default=True,
    help="Search settings that --set leaves open on a part of what models are fitted on.",
)
@click.option("--kind", type=click.Choice(list(KINDS)), help="The kind of items; by default what most users play.")
@click.option(
    "--split",
    "way",
    type=click.Choice(("temporal", "weak", "strong", "folds")),
    help="What is hidden of a library; by default the latest plays, or without times a part of each user's items.",
)
@click.option(
    "--fraction",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="The share that is hidden.",
)
@click.option("--at", type=click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S")), help="Hide plays from this moment on.")
@click.option("--days", type=click.FloatRange(0, min_open=True), help="Ask only for so many days from there.")
@click.option("--folds", type=click.IntRange(2, 100), default=5, show_default=True, help="Folds of --split folds.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of splits and intervals.")
@click.option("-k", type=click.IntRange(1, 1000), default=20, show_default=True, help="Length of the lists.")
@click.option("--form", type=FORMS, default="auto", help="What a line of the files is.")
@click.option("--pages/--no-pages", default=True, help="Measure pages of a library as people see them, too.")
@click.option("--report", type=_FILE, help="Write a page with all metrics and plots.")
@click.option("--curves/--no-curves", default=None, help="Fit on parts of the users too; by default with --report.")
@click.option("--threads", type=click.IntRange(1, MAX_THREADS), default=None, help="Processors to use, by default all.")
@click.option("--jobs", type=click.IntRange(1, 64), default=None, help="Fits side by side; 1 measures memory too.")
@home_option
@json_option
def evaluate(
    home: Home,
    train: Path | None,
    test: Path | None,
    names: tuple[str, ...],
    changes: tuple[str, ...],
    search: bool,
    kind: str | None,
    form: Any,
    pages: bool,
    report: Path | None,
    curves: bool | None,
    k: int,
    seed: int,
    threads: int | None,
    jobs: int | None,
    as_json: bool,
    **how: Any,
) -> None:
    """Fit models on a part of the library and measure them on the rest, or on two files.

    Every item is a candidate, except those that the user played before. Metrics are means over users, with 95 %
    intervals; the other models are compared with the first one, user by user. Settings such as the regularization of
    ALS are first searched on a part of what models are fitted on; what is hidden is not looked at.

    A line of a file is "user item item …", or "user item" and optionally a weight.
    """
    from crossfade.evaluate.comparing import SHARES, compare, fittable, members_of
    from crossfade.evaluate.fitting import Watch
    from crossfade.evaluate.library import How, LibrarySplit
    from crossfade.evaluate.pair_files import read_pairs
    from crossfade.evaluate.searching import NOTHING_FOUND, search_settings
    from crossfade.evaluate.splits import Split
    from crossfade.evaluate.trials import made_of
    from crossfade.models.registry import model_class
    from crossfade.pipeline.evaluating import models_of, split_home

    if (train is None) != (test is None):
        raise click.UsageError("--train and --test go together. Without both, a library is split.")
    if train is not None and (kind or any(how[name] for name in ("way", "at", "days"))):
        raise click.UsageError("--kind, --split, --at and --days are for a library, not for files.")
    if report is not None and not report.absolute().parent.is_dir():
        raise click.BadParameter(f"there is no directory {printed(report.absolute().parent)}", param_hint="--report")
    names = tuple(dict.fromkeys(names))
    for name in names:
        model_class(name)
    splits: Sequence[Split]
    if train is not None and test is not None:
        learned, asked = read_pairs([train, test], form)
        splits = [Split(train=learned, test=asked, how=f"asked for {test.name}")]
        chosen = names or tuple(fittable(splits[0]))
        settings: dict[str, dict[str, Any]] = changed(changes, _set(chosen))
    else:
        with progress_of("Split the library"):
            splits = split_home(home, kind, How(seed=seed, **how), names, threads)
        first = splits[0]
        assert isinstance(first, LibrarySplit)
        chosen = names or tuple(models_of(home, first, (), {}))
        settings = models_of(home, first, chosen, changed(changes, _set(chosen)))
    members = [one for name in chosen for one in members_of(made_of(name, settings[name]), splits[0])]
    fitted = [*dict.fromkeys([*chosen, *members])]
    found = [dict.fromkeys(fitted, NOTHING_FOUND) for _ in splits]
    # For each fold by itself: what one fold hides, the others are fitted on.
    for split, one in zip(splits, found, strict=True) if search else ():
        for name in fitted:
            with progress_of(f"Search settings of {name}") as progress:
                one[name] = search_settings(name, split.train, settings[name], threads=threads, progress=progress)
    curves = report is not None if curves is None else curves
    display = Display()
    drawn = [name for name in chosen if curves and not model_class(name).blends]
    parts = [f"{name} {share}" for name in drawn for share in SHARES]
    of_pages = ["pages"] if pages and train is None and len(splits) == 1 else []
    cut = [f"{name} cut" for name in dict.fromkeys(members)]
    display.expect(dict.fromkeys([*fitted, *cut, *parts, *of_pages], 1.0))
    with shown(display):
        comparison = compare(
            chosen,
            splits,
            k=k,
            settings=[{name: {**settings[name], **one[name].settings} for name in fitted} for one in found],
            curves=curves,
            pages=pages,
            seed=seed,
            threads=threads,
            jobs=jobs,
            watch=Watch(begun=display.begin, ended=display.end),
        )
    if report is not None:
        comparison.save(report)
    figures = _as_json(comparison, found[0])
    if train is None:
        keep(home, figures)
    if as_json:
        print_json(figures)
        return
    _print(comparison)
    if report is not None:
        say(f"Report: {printed(report)}")


def keep(home: Home, figures: Mapping[str, Any]) -> None:
    """Keep the ``figures`` of an evaluation in the home, for the web page."""
    text = json.dumps({"finished": round(time.time() * 1000), **figures}, default=asdict)
    write_file(home.evaluation, text.encode())


def _as_json(comparison: "Comparison", found: Mapping[str, "Found"]) -> dict[str, Any]:
    """Everything but the values of single users; of folds the settings of the first."""
    differences = comparison.differences()
    models = [
        {
            "model": name,
            "settings": dict(trial.settings),
            "searched": {"settings": dict(found[name].settings), "tried": [asdict(one) for one in found[name].tried]},
            "users_asked": trial.report.users,
            "users_skipped": trial.report.skipped,
            "seconds": round(trial.seconds, 3),
            "peak_bytes": trial.peak_bytes,
            "estimates": dict(trial.report.estimates),
            "totals": dict(trial.report.totals),
            "difference_to_first": differences.get(name, {}),
            "slices": [asdict(one) for one in trial.report.slices],
            "weights": _weights(trial.model),
            "repeats": dict(trial.report.repeats.estimates) if trial.report.repeats else None,
            "curve": [asdict(point) for point in comparison.curves.get(name, ())],
        }
        for name, trial in comparison.trials.items()
    ]
    pages = comparison.pages
    sizes = ("users", "items", "train_pairs", "test_pairs")
    return {
        "split": comparison.split,
        "kind": comparison.kind,
        "k": comparison.k,
        **{name: getattr(comparison, name) for name in sizes},
        "models": models,
        "pages": None
        if pages is None
        else {
            "model": pages.model,
            "empty": pages.empty,
            "estimates": dict(pages.report.estimates),
            "totals": dict(pages.report.totals),
            "cost": dict(pages.cost),
        },
    }


def _weights(model: Any) -> dict[str, Any] | None:
    """What each model of a blend counts, and adds; None for another model."""
    from crossfade.models.blend_fitted import FittedBlend

    return {name: dict(one) for name, one in model.weights.report.items()} if isinstance(model, FittedBlend) else None


def _print(comparison: "Comparison") -> None:
    """A table that fits 80 columns, and what else there is to say in lines."""
    say(comparison.heading)
    k, first = comparison.k, next(iter(comparison))
    differences = comparison.differences()
    others = ("ndcg", "coverage", "novelty")
    taken = ("seconds", "memory") if comparison.trials[first].peak_bytes is not None else ("seconds",)
    optional = [Column(title, "number", optional=place) for place, title in enumerate((*others, *taken), start=2)]
    rows = []
    for name, trial in comparison.trials.items():
        measured = [comparison.value(name, f"{metric}@{k}") for metric in others]
        took = [f"{trial.seconds:.1f}", size(trial.peak_bytes or 0)][: len(taken)]
        difference = differences[name][f"ndcg@{k}"] if name in differences else ""
        rows.append([name, trial.report.estimates[f"recall@{k}"], difference, *measured, *took])
    titles = (f"recall@{k} [95 %]", f"ndcg@{k} - {first}")
    print_table(
        [Column("model", "name"), Column(titles[0], "number"), Column(titles[1], "number", optional=1), *optional], rows
    )
    if any(report.repeats for report in comparison.reports.values()):
        found = {name: one.repeats.estimates[f"recall@{k}"] for name, one in comparison.reports.items() if one.repeats}
        print_table(
            [Column("model", "name"), Column(f"recall@{k} of repeats, among own items [95 %]", "number")],
            [[name, one] for name, one in found.items()],
        )
    for name, trial in comparison.trials.items():
        if weights := _weights(trial.model):
            counted = {one: row["weight"] for one, row in weights.items() if row["weight"]}
            told = [f"{one} {weight:.2f}" for one, weight in sorted(counted.items(), key=lambda one: -one[1])]
            left = [one for one in weights if one not in counted]
            say(f"{name} is made of {', '.join(told)}" + (f"; nothing is added by {', '.join(left)}" if left else ""))
    if pages := comparison.pages:
        on_pages, cost = pages.report.estimates[f"recall@{k}"], pages.cost[f"recall@{k}"]
        say(f"Pages of {pages.model}: recall@{k} {on_pages}; minus plain lists {cost}")


def _set(chosen: Sequence[str]) -> Sequence[str]:
    """The models whose settings may be set: those chosen, and with a blend any that it may be made of."""
    from crossfade.models.registry import MODELS, model_class

    return [*MODELS] if any(model_class(name).blends for name in chosen) else chosen


def changed(changes: Sequence[str], models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """The settings named by ``--set``, by model."""
    settings: dict[str, dict[str, Any]] = {name: {} for name in models}
    for change in changes:
        place, equals, text = change.partition("=")
        model, _, setting = place.partition(".")
        if not (equals and setting):
            raise click.BadParameter(f"{change!r} is not of the form NAME.SETTING=VALUE", param_hint="--set")
        if model not in settings:
            raise click.BadParameter(f"{model!r} is not one of the models: {', '.join(models)}", param_hint="--set")
        settings[model][setting] = _value(text)
    return settings


def _value(text: str) -> Any:
    """As TOML reads it; a word without quotes is a text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
