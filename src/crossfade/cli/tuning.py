"""``crossfade tune``."""

import dataclasses
import shlex
from pathlib import Path
from typing import Any

import click

from crossfade.cli.display import progress_of
from crossfade.cli.measuring import FORMS, changed
from crossfade.cli.options import complete_models, home_option, json_option, kind_option
from crossfade.cli.output import Column, print_json, print_line, print_table, say
from crossfade.core.artifacts import write_file
from crossfade.core.errors import SettingsError
from crossfade.core.home import Home
from crossfade.pipeline.settings import MAX_THREADS


@click.command()
@click.option(
    "--model",
    "names",
    multiple=True,
    metavar="NAME",
    shell_complete=complete_models,
    help="A model to tune; may be repeated. By default the first of [run] models that has settings to tune.",
)
@kind_option
@click.option(
    "--train",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file to tune on, as for `crossfade evaluate`, instead of the library.",
)
@click.option("--form", type=FORMS, default="auto", help="What a line of the file is.")
@click.option("--set", "changes", multiple=True, metavar="NAME.SETTING=VALUE", help="A setting to leave as given.")
@click.option("--trials", type=click.IntRange(1, 10_000), default=30, show_default=True, help="Trials in the end.")
@click.option("--seconds", type=click.FloatRange(min=1), help="Begin no trial after so many seconds.")
@click.option("--threads", type=click.IntRange(1, MAX_THREADS), default=None, help="Processors to use, by default all.")
@json_option
@home_option
def tune(
    home: Home,
    names: tuple[str, ...],
    kind: str | None,
    train: Path | None,
    form: Any,
    changes: tuple[str, ...],
    trials: int,
    seconds: float | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Search the best settings of models on a part of the training data, for as long as you like.

    The settings of a library go to HOME/tuned.toml, which the next `crossfade run` reads; crossfade.toml overrides it,
    and removing it undoes tuning. HOME/tuning has a plot of what mattered. The same command again goes on where it
    stopped.
    """
    from crossfade.evaluate.pair_files import read_pairs
    from crossfade.evaluate.tuning import require_tunable
    from crossfade.evaluate.tuning import tune as tune_model
    from crossfade.evaluate.tuning_plot import plot
    from crossfade.models.registry import model_class
    from crossfade.pipeline.settings import Settings
    from crossfade.pipeline.tuned import interactions_of, write_tuned

    settings = Settings.of(home)
    chosen = [*dict.fromkeys(names)] or [name for name in settings.run.models if model_class(name).tuned][:1]
    if not chosen:
        raise SettingsError("No model in [run] models has settings to tune. Name one with --model.")
    given = changed(changes, chosen)
    for name in chosen:
        require_tunable(name, given[name])
    learned = read_pairs([train], form)[0] if train else interactions_of(home, settings, kind)
    results = []
    for name in chosen:
        fixed = given[name] if train else {**settings.given(name, learned.kind, tuned=False), **given[name]}
        with progress_of(f"Tune {name}") as progress:
            options: dict[str, Any] = {"trials": trials, "seconds": seconds, "threads": threads, "progress": progress}
            result = tune_model(name, learned, fixed, home.tuning, **options)
        page = home.tuning / f"{train.stem if train else learned.kind}-{name}.svg"
        write_file(page, plot(result).encode())
        if not train:
            write_tuned(home, name, learned.kind, result.settings)
        results.append((result, page))
    if as_json:
        print_json([{**dataclasses.asdict(result), "plot": str(page)} for result, page in results])
        return
    print_table(
        [Column("model"), Column("defaults", "number"), Column("tuned", "number"), Column("settings", "prose")],
        [
            [result.model, f"{result.default:.4f}", f"{result.best:.4f}", _listed(result.settings) or "the defaults"]
            for result, _ in results
        ],
        note="NDCG@20 on a part of the training data that was not tuned on",
    )
    for result, page in results:
        pruned = sum(trial.pruned for trial in result.trials)
        say(f"{len(result.trials)} trials of {result.model}, {pruned} of them ended early; what mattered: {page}")
        if train and result.settings:
            settled = (f"--set {result.model}.{key}={value}" for key, value in result.settings.items())
            files = f"--train {shlex.quote(str(train))} --test TEST"
            print_line(f"crossfade evaluate {files} --model {result.model} {' '.join(settled)}")
    if not train and any(result.settings for result, _ in results):
        say(f"Written to {home.tuned_file}. Run `crossfade run` to fit with it; remove it to undo.")


def _listed(settings: Any) -> str:
    return ", ".join(
        f"{key} = {value:.4g}" if isinstance(value, float) else f"{key} = {value}" for key, value in settings.items()
    )
