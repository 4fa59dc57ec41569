"""Recognises the format of each file of an input."""

import difflib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from crossfade.core.errors import InputError
from crossfade.formats.contract import Format, Member
from crossfade.formats.registry import FORMATS, load_format
from crossfade.formats.strangers import described

ENOUGH = 0.5  # the least confidence at which a format reads a file


@dataclass(frozen=True)
class Recognised:
    """One format and its members."""

    format: Format
    members: Sequence[Member]


def recognise(path: Path, members: Sequence[Member], wanted: Format | None) -> tuple[list[Recognised], list[Member]]:
    """Return the formats of ``members``, in the order of their names, and the members of no format.

    ``path`` is the input's, for messages. ``wanted`` is the format that the user named: it reads every member that it
    recognises with any confidence, or all members if it recognises none. Raises InputError, with the closest formats,
    if no member is of any format or if two formats are equally confident.
    """
    if wanted is not None:
        possible: list[Member] = []
        others: list[Member] = []
        for member in members:
            (possible if wanted.recognise(member) > 0 else others).append(member)
        return ([Recognised(wanted, possible)], others) if possible else ([Recognised(wanted, others)], [])
    formats = {format_name: load_format(format_name) for format_name in FORMATS}
    recognised: dict[str, list[Member]] = {}
    unknown: list[Member] = []
    closest: dict[str, float] = {}
    for member in members:
        confidences = {format_name: one.recognise(member) for format_name, one in formats.items()}
        best = max(confidences.values(), default=0.0)
        if best < ENOUGH:
            unknown.append(member)
            closest = {one: max(confidence, closest.get(one, 0.0)) for one, confidence in confidences.items()}
            continue
        winners = [format_name for format_name, confidence in confidences.items() if confidence == best]
        if len(winners) > 1:
            raise InputError(
                f"could be {' or '.join(winners)}. Name the format: crossfade import FORMAT PATH", path=member.name
            )
        recognised.setdefault(winners[0], []).append(member)
    if not recognised:
        raise InputError(_no_format(path, members, closest, formats), path=path.name)
    return [Recognised(formats[format_name], theirs) for format_name, theirs in sorted(recognised.items())], unknown


def known_format(name: str) -> Format:
    """Return the format called ``name``; InputError, with the names that are close, if there is none."""
    if name not in FORMATS:
        close = difflib.get_close_matches(name, FORMATS, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(sorted(FORMATS))}."
        raise InputError(
            f"there is no format {name!r}. {hint} Without a name, the format is recognised by the content."
        )
    return load_format(name)


def _no_format(path: Path, members: Sequence[Member], confidences: dict[str, float], formats: dict[str, Format]) -> str:
    """Return what the files look like, and what to do."""
    closest = max(confidences, key=lambda name: confidences[name], default="")
    if closest and confidences[closest] > 0:
        return (
            f"is of no known format for sure. The closest is {closest} ({formats[closest].title}, "
            f"{confidences[closest]:.0%} sure). To read it as that: crossfade import {closest} {shlex.quote(str(path))}"
        )
    return f"is of no known format. {described(path, members)}"
