"""A rich console that shows text as it is: no markup, no emoji codes, no control characters of strangers."""

import shutil
import sys
from collections.abc import Iterable
from typing import Any, Literal

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from crossfade.cli.terminal import printable_lines


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
