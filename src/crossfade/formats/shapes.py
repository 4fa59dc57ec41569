"""The beginning of a file as text, and the shape of its lines, by which formats tell files apart."""

import codecs
import re
from collections.abc import Sequence

from crossfade.formats.contract import Member

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def head_text(member: Member) -> str:
    """Return the first bytes of ``member`` as text: by its byte order mark, else UTF-8, else Latin-1."""
    for mark, encoding in _MARKS:
        if member.head.startswith(mark):
            return member.head[len(mark) :].decode(encoding, errors="ignore")
    try:
        # The head may end inside a character, which is no reason to read it as Latin-1.
        return codecs.getincrementaldecoder("utf-8")().decode(member.head)
    except UnicodeDecodeError:
        return member.head.decode("latin-1")


def head_lines(member: Member, at_most: int = 100) -> list[str]:
    """Return the first lines of ``member`` that are not blank, without the last of several, which may be cut."""
    lines = head_text(member).split("\n")
    whole = lines[:-1] if len(lines) > 1 else lines
    return [line.rstrip("\r") for line in whole if line.strip()][:at_most]


def mostly(lines: Sequence[str], shape: re.Pattern[str]) -> bool:
    """Tell whether ``lines`` match ``shape`` from end to end, but for the malformed rows of real files."""
    # Nine in ten: of a file of another format no line matches.
    return bool(lines) and sum(shape.fullmatch(line) is not None for line in lines) >= 0.9 * len(lines)
