"""A comparison as one HTML page that loads nothing from elsewhere, or as a part of a notebook's page."""

from collections.abc import Sequence
from html import escape

from crossfade.core.version import __version__
from crossfade.evaluate.comparison import Comparison
from crossfade.evaluate.intervals import Estimate
from crossfade.evaluate.plots import PLOTS

STYLE = """
:root { --paper: #fff; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
body { background: var(--paper); }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; font-size: 14px; }
th, td { padding: .2rem .7rem; text-align: right; border-bottom: 1px solid #8884; font-variant-numeric: tabular-nums; }
th, td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
.settings td:last-child, .settings th:last-child { text-align: left; white-space: normal; }
small { color: #777; } .block { overflow-x: auto; } svg { max-width: 100%; height: auto; }
@media (prefers-color-scheme: dark) { :root { --paper: #161616; } body { color: #ddd; } }
"""


def page(comparison: Comparison) -> str:
    """Return the whole page."""
    names = [*comparison]
    parts = [f"<h1>Evaluation of {escape(names[0]) if len(names) == 1 else f'{len(names)} models'}</h1>"]
    parts += [f"<p>{escape(comparison.heading)}.</p>", metrics(comparison)]
    for name, plot in PLOTS.items():
        if (name == "curves" and not comparison.curves) or (name == "differences" and len(comparison) == 1):
            continue
        drawn = plot.draw(comparison).svg
        parts.append(f"<h2>{escape(plot.title)}</h2><p>{escape(plot.about)}</p><div class=block>{drawn}</div>")
    parts += [differences(comparison), pages(comparison), repeats(comparison), histories(comparison)]
    parts.append(settings(comparison))
    title = f"Evaluation: {', '.join(names)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style>'
        f"<body>{''.join(parts)}<p><small>Crossfade {__version__}. Intervals are of 95 %, by a bootstrap of the users."
        "</small></p></body></html>\n"
    )


def fragment(comparison: Comparison) -> str:
    """Return the table of the models' metrics, for notebooks."""
    rows = [[name, *(_number(comparison.value(name, one)) for one in comparison.columns)] for name in comparison]
    return f"<p>{escape(comparison.heading)}</p>{_table(['model', *comparison.columns], rows)}"


def metrics(comparison: Comparison) -> str:
    """Return every metric of every model with its interval: a row a metric."""
    reports = comparison.reports.values()
    names = list(dict.fromkeys(name for one in reports for name in (*one.estimates, *one.totals)))
    rows = [
        [name, *(_cell(one.estimates.get(name)) or _number(one.totals.get(name)) for one in reports)] for name in names
    ]
    return f"<h2>All metrics</h2>{_table(['', *comparison], rows)}"


def differences(comparison: Comparison) -> str:
    """Return what each model has more than the first one."""
    found = comparison.differences()
    if not found:
        return ""
    names = list(dict.fromkeys(name for one in found.values() for name in one))
    rows = [[name, *(_cell(one.get(name)) for one in found.values())] for name in names]
    return f"<h2>Minus {escape(next(iter(comparison)))}, user by user</h2>{_table(['', *found], rows)}"


def pages(comparison: Comparison) -> str:
    """Return what the rules of pages cost."""
    if comparison.pages is None:
        return ""
    found = comparison.pages
    rows = [[name, _cell(one), _cell(found.cost.get(name))] for name, one in found.report.estimates.items()]
    about = "Discover with its caps, diversity and reasons, beside the plain lists of the same model."
    return (
        f"<h2>Pages as people see them: {escape(found.model)}</h2>"
        f"<p>{about} {found.empty:.1%} of the users have no page.</p>{_table(['', 'pages', 'pages minus lists'], rows)}"
    )


def repeats(comparison: Comparison) -> str:
    """Return how well models tell what is played again."""
    found = {name: one.repeats for name, one in comparison.reports.items() if one.repeats is not None}
    if not found:
        return ""
    names = next(iter(found.values())).estimates
    rows = [[name, *(_cell(one.estimates.get(name)) for one in found.values())] for name in names]
    about = "Of the items of each user's history, ranked by the model, those that were played again."
    return f"<h2>Repeats</h2><p>{about}</p>{_table(['', *found], rows)}"


def histories(comparison: Comparison) -> str:
    """Return recall by the length of histories."""
    metric = f"recall@{comparison.k}"
    found = {name: [one for one in report.slices if one.by == "history"] for name, report in comparison.reports.items()}
    lengths = list(dict.fromkeys((one.name, one.users) for slices in found.values() for one in slices))
    if not lengths:
        return ""
    rows = [
        [
            f"{length} ({users:,} users)",
            *(
                next((_cell(one.estimates.get(metric)) for one in slices if one.name == length), "")
                for slices in found.values()
            ),
        ]
        for length, users in lengths
    ]
    return f"<h2>{metric} by length of history</h2>{_table(['', *found], rows)}"


def settings(comparison: Comparison) -> str:
    """Return the settings and the time of each fit."""
    rows = [
        [name, f"{trial.seconds:.1f}", ", ".join(f"{key} = {value}" for key, value in trial.settings.items())]
        for name, trial in comparison.trials.items()
    ]
    return f"<h2>Fits</h2><div class=settings>{_table(['model', 'seconds', 'settings'], rows)}</div>"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<div class=block><table><tr>{head}</tr>{body}</table></div>"


def _cell(one: Estimate | None) -> str:
    return "" if one is None else str(one)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
