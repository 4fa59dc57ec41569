"""Commands about models: which are fitted, and how good they are."""

import tomllib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from crossfade.cli.display import progress_of
from crossfade.cli.options import complete_models, home_option, json_option
from crossfade.cli.output import Column, counted, print_json, print_table, say, size
from crossfade.core.home import Home
from crossfade.models.registry import MODELS
from crossfade.pipeline.settings import MAX_THREADS

_FORMS = click.Choice(("auto", "lists", "pairs"))
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
@click.option("--train", required=True, type=_FILE, help="The file to fit models on.")
@click.option("--test", required=True, type=_FILE, help="The file to measure them on.")
@click.option(
    "--model",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_models,
    help="A model to fit; may be repeated. By default all but those that learn from texts.",
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
    help="Search settings that --set leaves open on a part of the train file.",
)
@click.option("-k", type=click.IntRange(1, 1000), default=20, show_default=True, help="Length of the lists.")
@click.option("--form", type=_FORMS, default="auto", help="What a line of the files is.")
@click.option("--threads", type=click.IntRange(1, MAX_THREADS), default=None, help="Processors to use, by default all.")
@json_option
def evaluate(
    train: Path,
    test: Path,
    names: tuple[str, ...],
    changes: tuple[str, ...],
    search: bool,
    k: int,
    form: Any,
    threads: int | None,
    as_json: bool,
) -> None:
    """Fit models on one file and measure them on another.

    A line is "user item item …", or "user item" and optionally a weight. Every item is a candidate, except those that
    the user has in the train file. Recall and NDCG are means over the users of the test file, with 95 % intervals; the
    other models are compared with the first one. Settings such as the regularization of ALS are first searched on a
    part of the train file; the test file is not looked at.
    """
    from crossfade.evaluate.intervals import difference_estimate
    from crossfade.evaluate.pair_files import read_pairs
    from crossfade.evaluate.searching import NOTHING_FOUND, search_settings
    from crossfade.evaluate.trials import try_model
    from crossfade.models.registry import model_class

    chosen = names or tuple(name for name in MODELS if model_class(name).learns_from != "texts")
    settings = _changed(changes, chosen)
    learned, asked = read_pairs([train, test], form)
    metrics = (f"recall@{k}", f"ndcg@{k}")
    models: list[dict[str, Any]] = []
    first: Any = None
    for name in chosen:
        found = NOTHING_FOUND
        if search:
            with progress_of(f"Search settings of {name}") as progress:
                found = search_settings(name, learned, settings[name], threads=threads, progress=progress)
        with progress_of(f"Fit {name}") as progress:
            chosen_settings = {**settings[name], **found.settings}
            options: dict[str, Any] = {"settings": chosen_settings, "k": k, "threads": threads, "progress": progress}
            trial = try_model(name, learned, asked, **options)
        report = trial.report
        first = first or report.per_user
        models.append(
            {
                "model": name,
                "settings": dict(trial.settings),
                "searched": {"settings": dict(found.settings), "tried": [asdict(one) for one in found.tried]},
                "users_asked": report.users,
                "users_skipped": report.skipped,
                "seconds": round(trial.seconds, 3),
                "peak_bytes": trial.peak_bytes,
                "estimates": dict(report.estimates),
                "totals": dict(report.totals),
                "difference_to_first": {one: difference_estimate(report.per_user[one], first[one]) for one in metrics},
            }
        )
    if as_json:
        sizes = {"users": len(learned.user_ids), "items": len(learned.item_ids)}
        print_json({**sizes, "train_pairs": learned.pairs, "test_pairs": asked.pairs, "models": models})
        return
    say(f"{learned.pairs:,} pairs of {len(learned.user_ids):,} users and {len(learned.item_ids):,} items to learn from")
    titles = (*(f"{metric} [95 %]" for metric in metrics), f"against {chosen[0]}", "seconds", "peak memory")
    print_table(
        [Column("model"), *(Column(title, "number") for title in titles)],
        [
            [
                one["model"],
                *(one["estimates"][metric] for metric in metrics),
                "" if one is models[0] else one["difference_to_first"][metrics[1]],
                f"{one['seconds']:.1f}",
                size(one["peak_bytes"]),
            ]
            for one in models
        ],
        note=f"{models[0]['users_asked']:,} users asked",
    )
    for one in models:
        if found_settings := one["searched"]["settings"]:
            values = ", ".join(f"{setting} = {value:g}" for setting, value in found_settings.items())
            say(f"{one['model']}: {values}, found on a part of the train file ({len(one['searched']['tried'])} fits)")


def _changed(changes: Sequence[str], models: Sequence[str]) -> dict[str, dict[str, Any]]:
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
