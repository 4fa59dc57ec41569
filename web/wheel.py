"""Refuses to build a wheel without the web page."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

INDEX = Path("src/crossfade/serve/page/index.html")


class PageHook(BuildHookInterface[Any]):
    """Looks for the built page before a wheel is built; a checkout in use may be without it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Raise FileNotFoundError if there is no page; ``version`` is "editable" for a checkout."""
        if version != "editable" and not (Path(self.root) / INDEX).is_file():
            raise FileNotFoundError(f"{INDEX} is missing, so the wheel would have no web page. Build it: make page")
