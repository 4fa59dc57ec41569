"""Write docs/benchmarks.md from the committed records: the prose of `page.md`, tables, and plots.

    python -m benchmarks report

In the prose a line "@table NAME" becomes the table of that name in `benchmarks.shown`, "@plot NAME" a figure of
`benchmarks.plots` with the words after its name as its caption, and "@command CASE" the command of a record. Numbers
come from records alone. Plots are drawn where matplotlib is installed; the page is the same without it.
"""

import argparse
import importlib.util
from collections.abc import Mapping
from pathlib import Path

from benchmarks.curves import CURVES
from benchmarks.record import RESULTS, Record
from benchmarks.shown import SUMMARIES, TABLES

ROOT = Path(__file__).parents[1]
PAGE = Path(__file__).parent / "page.md"
DOCS = ROOT / "docs"

Records = Mapping[str, Record]


def records(folder: Path = RESULTS) -> dict[str, Record]:
    """Every record of the folder, by the name of its case."""
    return {path.stem: Record.read(path) for path in sorted(folder.glob("*.json"))}


def rendered(prose: str, found: Records) -> str:
    """The page."""
    lines = []
    for line in prose.splitlines():
        word, _, rest = line.partition(" ")
        if word == "@table":
            lines += SUMMARIES[rest](found) if rest in SUMMARIES else TABLES[rest].of(found)
        elif word == "@plot":
            name, _, caption = rest.partition(" ")
            lines += [f"![{caption}](benchmarks/{name}.svg)"] if drawable(name, found) else []
        elif word == "@command":
            lines.append(f"    {found[rest].command}" if rest in found else f"    python -m benchmarks {rest}")
        else:
            lines.append(line)
    return "\n".join(lines) + "\n"


def drawable(plot: str, found: Records) -> bool:
    """Whether the records hold what a plot shows."""
    return bool(CURVES[plot](found))


def main(arguments: list[str] | None = None) -> None:
    """Write the page, and the plots where matplotlib is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--docs", type=Path, default=DOCS)
    chosen = parser.parse_args(arguments)
    found = records(chosen.results)
    (chosen.docs / "benchmarks.md").write_text(rendered(PAGE.read_text(), found))
    if importlib.util.find_spec("matplotlib") is None:
        print("matplotlib is not installed: the plots are left as they are")
        return
    from benchmarks.plots import draw

    for path in draw(found, chosen.docs / "benchmarks"):
        print(path)


if __name__ == "__main__":
    main()
