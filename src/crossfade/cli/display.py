"""One calm display of long work: what runs now, and one bar with the time left."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from crossfade.cli.output import say, size
from crossfade.cli.reporting import reported
from crossfade.cli.terminal import printable
from crossfade.core.progress import Progress

SHOWN = 3  # of what runs side by side; the others are counted
PER_SECOND = 4  # how often the display is drawn
FIRST_ESTIMATE = 0.1  # the share of the work after which the time left is estimated
KNOWN_ESTIMATE = 0.02  # the same where earlier runs say how long each part takes
SHORTEST_BAR = 8  # cells


@dataclass
class _Work:
    title: str
    weight: float
    done: float = 0.0
    total: float | None = None
    unit: str = ""

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 0.0


@dataclass
class Display:
    """What is going on, as a few lines of text; all threads report to it.

    The time left follows from the work done so far. ``weights`` says how much work each part is, by its name.
    """

    title: str = ""
    clock: Callable[[], float] = time.monotonic
    note: Callable[[], str] = lambda: ""  # what else is going on; "" for nothing
    announce: Callable[[str], None] = lambda title: None  # called with the title of what begins
    drawn: list[int] = field(default_factory=list)  # the cells of each line that is on the terminal
    _estimate: float = FIRST_ESTIMATE
    _weights: dict[str, float] = field(default_factory=dict)
    _running: dict[str, _Work] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _began: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._began = self.clock()

    def expect(self, weights: Mapping[str, float], *, known: bool = False) -> None:
        """All the work, by name; ``known`` if the weights are what it took before."""
        with self._lock:
            self._weights = dict(weights)
            self._estimate = KNOWN_ESTIMATE if known else FIRST_ESTIMATE

    def begin(self, name: str, title: str) -> Progress:
        """Show ``title`` until `end` is called with ``name``; returns what its progress is reported to.

        What is not expected is shown, and counts for nothing.
        """
        work = _Work(title, self._weights.get(name, 0.0))
        with self._lock:
            self._running[name] = work
        self.announce(title)

        def moved(done: float, total: float | None, unit: str) -> None:
            work.done, work.total, work.unit = done, total, unit

        return moved

    def end(self, name: str) -> None:
        """Count ``name`` as done; if it never began, as nothing to do."""
        with self._lock:
            if self._running.pop(name, None) is not None:
                self._done.add(name)
            elif name not in self._done:
                self._weights.pop(name, None)

    def _counted(self) -> tuple[list[_Work], int, int, float | None]:
        """What runs, how many steps are expected and are done, and the share of the work that is done, if known."""
        with self._lock:
            running, done = list(self._running.values()), self._done & self._weights.keys()
            steps, weight = len(self._weights), sum(self._weights.values())
            finished = sum(self._weights[name] for name in done)
        if steps:
            share = (finished + sum(work.share * work.weight for work in running)) / max(weight, 1e-9)
            return running, steps, len(done), share
        return running, 0, 0, running[0].share if running and running[0].total else None

    def state(self) -> dict[str, Any]:
        """Return what `lines` shows, for other programs: shares from 0 to 1, None where they are unknown."""
        running, steps, done, share = self._counted()
        return {
            "steps": steps,
            "done": done,
            "share": share,
            "left": self._left(share) if share is not None else "",
            "running": [{"title": work.title, "share": work.share if work.total else None} for work in running],
            "note": self.note(),
        }

    def lines(self, width: int) -> list[tuple[str, str, str]]:
        """Return what to show in ``width`` cells: of each line the plain part, the bar's full part, and the rest."""
        running, steps, done, share = self._counted()
        if not steps or share is None:
            return [self._bar_line(width, self.title, running[0])] if running else []
        shown = [_row(width, work.title, f"{work.share:.0%}" if work.total else "") for work in running[:SHOWN]]
        more = f"and {len(running) - SHOWN} more" if len(running) > SHOWN else ""
        if extra := ", ".join(part for part in (more, self.note()) if part):
            shown.append(_row(width, extra, ""))
        bar = _bar(width, f"{done} of {steps} steps", share, f"{share:.0%}", self._left(share))
        return [*((line, "", "") for line in shown), bar]

    def _bar_line(self, width: int, title: str, work: _Work) -> tuple[str, str, str]:
        """The single line of work that has no parts."""
        seconds = self.clock() - self._began
        unit = "B" if work.unit == "bytes" else f" {work.unit}"
        speed = f"{size(work.done / seconds, unit).replace('  ', ' ')}/s" if work.done and seconds else ""
        if not work.total:
            return _row(width, title or work.title, speed), "", ""
        return _bar(width, title or work.title, work.share, speed, self._left(work.share))

    def _left(self, share: float) -> str:
        """Return the time left as people say it; "" while it is unknown."""
        seconds = self.clock() - self._began
        if not self._estimate <= share < 1 or seconds < 2:
            return ""
        return f"{spoken(seconds / share - seconds)} left"

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        """Draw it."""
        from rich.cells import cell_len
        from rich.text import Text

        lines = self.lines(options.max_width - 1)
        self.drawn = [cell_len("".join(parts)) for parts in lines]
        for before, full, after in lines:
            # Where a terminal is narrower than it says, a line is cut, never broken.
            yield Text.assemble(before, (full, "cyan"), (after, "dim"), no_wrap=True, overflow="crop")


def spoken(seconds: float) -> str:
    """Return a time as it is said: "under 10 s", "40 s", "3 min", "2 h 10 min"."""
    if seconds < 10:
        return "under 10 s"
    if seconds < 55:
        return f"{round(seconds / 10) * 10} s"
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60 // 10 * 10} min"


def _row(width: int, text: str, right: str) -> str:
    """Return ``text``, cut to its place with "…", and ``right`` at the right edge."""
    from rich.cells import cell_len, set_cell_size

    room = width - len(right) - (2 if right else 0) - 2
    text = printable(text)
    if cell_len(text) > room:
        text = set_cell_size(text, max(room - 1, 0)).rstrip() + "…"
    return f"  {text}" + (f"{right:>{max(width - 2 - cell_len(text), 0)}}" if right else "")


def _bar(width: int, before: str, share: float, *after: str) -> tuple[str, str, str]:
    """Return ``before``, a bar over the rest of the line, and the parts of ``after`` that have room."""
    parts = [part for part in after if part]
    while True:
        right = "".join(f"  {part}" for part in parts)
        cells = width - len(before) - 1 - len(right)
        if cells >= SHORTEST_BAR or not parts:
            break
        parts.pop(0)
    cells = max(cells, 0)
    full = round(cells * share)
    return f"{before} ", "━" * full, "─" * (cells - full) + right


@contextmanager
def shown(display: Display) -> Iterator[Callable[[str], None]]:
    """Show ``display`` on standard error while the block runs; yields what prints a line above it.

    A terminal that cannot move its cursor gets a line for each piece of work that begins, anything else nothing.
    """
    with reported(display.state):
        yield from _drawn(display)


def _drawn(display: Display) -> Iterator[Callable[[str], None]]:
    if not sys.stderr.isatty():
        yield say
        return
    from crossfade.cli.console import PlainConsole, Reflowing

    console = PlainConsole("stderr")
    if console.is_dumb_terminal:
        display.announce = say
        yield say
        return
    with Reflowing(display, console, PER_SECOND):
        yield lambda line: console.print(printable(line), soft_wrap=True)


@contextmanager
def progress_of(title: str) -> Iterator[Progress]:
    """Show the progress of one piece of work."""
    display = Display(title)
    with shown(display):
        yield display.begin(title, title)


def weights_of(steps: Mapping[str, str], took: Mapping[str, float]) -> dict[str, float]:
    """Return how much work each step is, by name, from its action and from the seconds that it ``took`` before."""
    usual = {name: _USUAL.get(action, 1.0) for name, action in steps.items()}
    known = usual.keys() & took.keys()
    # What never ran is compared with what did.
    scale = sum(took[name] for name in known) / sum(usual[name] for name in known) if known else 1.0
    return {name: took.get(name, scale * weight) for name, weight in usual.items()}


_USUAL = {"search": 3.0, "fit": 6.0, "neighbours": 2.0, "surface": 4.0}
"""How much work a step is in comparison with others, by its action, where it never ran."""


class Compiling:
    """Notices when Numba compiles kernels, which it does once on a machine."""

    def __init__(self) -> None:
        self._active = 0
        self._until = 0.0
        self._close: Callable[[], None] | None = None

    def __call__(self) -> str:
        """Return what to show: "" unless something is compiled, or was a moment ago."""
        # Numba takes long to import; until a step has done that, nothing can be compiled.
        events = sys.modules.get("numba.core.event")
        if self._close is None and hasattr(events, "unregister"):
            self._listen(events)
        return "Compiling kernels (first run only)" if self._active or time.monotonic() < self._until else ""

    def close(self) -> None:
        """Listen no longer."""
        if self._close is not None:
            self._close()

    def _listen(self, events: Any) -> None:
        def moved(by: int) -> None:
            self._active += by
            self._until = time.monotonic() + 2.0

        members = {"on_start": lambda listener, event: moved(1), "on_end": lambda listener, event: moved(-1)}
        listener = type("Listener", (events.Listener,), members)()
        events.register("numba:compile", listener)
        self._close = lambda: events.unregister("numba:compile", listener)
