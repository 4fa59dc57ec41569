"""A rich console that shows text as it is: no markup, no emoji codes, no control characters of strangers."""

import shutil
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderableType
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment

from crossfade.cli.terminal import printable_lines

if TYPE_CHECKING:
    from crossfade.cli.display import Display


class PlainConsole(Console):
    """A console on ``stream``. Whatever is rendered passes `printable_lines`, so names need no care."""

    def __init__(self, stream: Literal["stdout", "stderr"], **options: Any) -> None:
        output = getattr(sys, stream)
        super().__init__(file=getattr(output, "raw", output), markup=False, highlight=False, emoji=False, **options)
        if self.is_dumb_terminal:  # rich assumes 80 columns there
            self.size = shutil.get_terminal_size()

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As `Console.render`; only the cursor's movements of rich itself stay escape sequences."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(printable_lines(segment.text), segment.style)


class Reflowing(Live):
    """A live display that leaves nothing behind when the terminal gets narrower.

    Terminals then break the lines that were drawn, so that they take more rows than rich drew.
    """

    def __init__(self, display: "Display", console: Console, per_second: float) -> None:
        self._display = display
        super().__init__(display, console=console, refresh_per_second=per_second, transient=True, redirect_stdout=False)

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """As `Live.process_renderables`, after erasing the rows that breaking has added."""
        width = max(self.console.width, 1)
        added = sum(max(cells - 1, 0) // width for cells in self._display.drawn)
        clear = (ControlType.ERASE_IN_LINE, 2)
        above = Control(clear, *((ControlType.CURSOR_UP, 1), clear) * added)
        return [above, *super().process_renderables(renderables)] if added else super().process_renderables(renderables)
