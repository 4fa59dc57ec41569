"""Which format each file of an input is, told by its content."""

from collections.abc import Sequence
from dataclasses import dataclass

from crossfade.core.errors import InputError
from crossfade.formats.contract import Format, Member
from crossfade.formats.registry import FORMATS, load_format

ENOUGH = 0.5  # below this nobody is sure enough to read a file


@dataclass(frozen=True)
class Recognised:
    """One format, and the members that are of it."""

    format: Format
    members: Sequence[Member]


def recognise(name: str, members: Sequence[Member], wanted: Format | None) -> tuple[list[Recognised], list[Member]]:
    """The formats of ``members``, in the order of their names; and the members that are of none.

    ``name`` is the input's, for messages. ``wanted`` is the format that the person named: then every member
    that it takes for possible is read as it, or all of them if it takes none. Raises InputError, naming the nearest
    formats, if no member is of any format or if two formats claim one equally.
    """
    if wanted is not None:
        possible: list[Member] = []
        others: list[Member] = []
        for member in members:
            (possible if wanted.recognise(member) > 0 else others).append(member)
        return ([Recognised(wanted, possible)], others) if possible else ([Recognised(wanted, others)], [])
    formats = {known: load_format(known) for known in FORMATS}
    claimed: dict[str, list[Member]] = {}
    unknown: list[Member] = []
    nearest: dict[str, float] = {}
    for member in members:
        claims = {known: one.recognise(member) for known, one in formats.items()}
        best = max(claims.values(), default=0.0)
        if best < ENOUGH:
            unknown.append(member)
            nearest = {known: max(claims[known], nearest.get(known, 0.0)) for known in claims}
            continue
        winners = [known for known, confidence in claims.items() if confidence == best]
        if len(winners) > 1:
            raise InputError(
                f"could be {' or '.join(winners)}, nothing tells which. Name it: crossfade import FORMAT PATH",
                path=member.name,
            )
        claimed.setdefault(winners[0], []).append(member)
    if not claimed:
        raise InputError(_nothing_fits(nearest, formats), path=name)
    return [Recognised(formats[known], theirs) for known, theirs in sorted(claimed.items())], unknown


def known_format(name: str) -> Format:
    """The format called ``name``; InputError, naming all, if there is none."""
    if name not in FORMATS:
        raise InputError(f"there is no format {name!r}. There are: {', '.join(sorted(FORMATS))}")
    return load_format(name)


def _nothing_fits(nearest: dict[str, float], formats: dict[str, Format]) -> str:
    near = sorted((known for known, confidence in nearest.items() if confidence > 0), key=lambda known: -nearest[known])
    if near:
        hint = f"The nearest is {near[0]} ({formats[near[0]].title}, {nearest[near[0]]:.0%} sure)"
        if len(near) > 1:
            hint += f", then {near[1]} ({nearest[near[1]]:.0%})"
    else:
        hint = f"There are: {', '.join(sorted(formats))}"
    return f"is of no known format. {hint}. Name the one to read it as: crossfade import FORMAT PATH"
