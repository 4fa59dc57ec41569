"""Feeds the members of an input to a sink, format by format."""

from crossfade.core.errors import InputError
from crossfade.formats.contract import Member
from crossfade.importing.recognition import Recognised
from crossfade.importing.sink import ImportSink
from crossfade.importing.sources import Input, Selection


def feed(reading: Recognised, source: Input, sink: ImportSink) -> None:
    """Let the format hand its members to ``sink``; after damage to one, go on with those after it."""
    sink.begin(reading.format.name)
    left = list(reading.members)
    while left:
        opened: list[Member] = []

        def opening(member: Member, opened: list[Member] = opened) -> None:
            opened.append(member)
            sink.opened(member)

        selection = Selection(source, left, opening, lambda member, why: sink.damaged(member, str(why)))
        try:
            reading.format.read(selection, sink)
        except InputError as error:
            # A format that gives up before it opens anything means the first member.
            broken = opened[-1] if opened else left[0]
            sink.damaged(broken, str(error))
            done = {member.name for member in (*opened, broken)}
            left = [member for member in left if member.name not in done]
        else:
            return
