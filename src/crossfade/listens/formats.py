"""The formats that `crossfade import` can read. A new one is a file in this room and a line here."""

import importlib

from crossfade.listens.contract import Format

# name → "module:class"; imported only when a file has to be recognised or read.
FORMATS: dict[str, str] = {}


def load_format(name: str) -> Format:
    """The format registered as ``name``."""
    module, _, attribute = FORMATS[name].partition(":")
    format_class: type[Format] = getattr(importlib.import_module(module), attribute)
    return format_class()
