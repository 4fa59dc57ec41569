"""Refuses to build a wheel, or what wheels are built from, without the web page."""

import re
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = Path("src/crossfade/serve/page")


class PageHook(BuildHookInterface[Any]):
    """Looks for the built page before anything is built; a checkout in use may be without it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raise FileNotFoundError if the page or a file of it is missing; ``version`` is "editable" for a checkout."""
        if version == "editable":
            return
        page = Path(self.root) / PAGE
        index = page / "index.html"
        files = [page / name for name in re.findall(r'"\./(.+?)"', index.read_text())] if index.is_file() else [index]
        for file in files:
            if not file.is_file():
                raise FileNotFoundError(f"The web page is incomplete: {file} is missing. Build it: make page")
