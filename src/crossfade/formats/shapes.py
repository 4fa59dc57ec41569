"""What the beginning of a file looks like, for formats that have to be told apart by it."""

import codecs
import re
from collections.abc import Sequence

from crossfade.formats.contract import Member

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


def head_text(member: Member) -> str:
    """The first bytes of ``member`` as text: by its mark, else UTF-8, else Latin-1."""
    for mark, encoding in _MARKS:
        if member.head.startswith(mark):
            return member.head[len(mark) :].decode(encoding, errors="ignore")
    try:
        # The cut may have gone through a character, which is no reason to take the text for Latin-1.
        return codecs.getincrementaldecoder("utf-8")().decode(member.head)
    except UnicodeDecodeError:
        return member.head.decode("latin-1")


def head_lines(member: Member, at_most: int = 100) -> list[str]:
    """The first lines of ``member`` that are not blank. The last, which may be cut, counts only if it is alone."""
    lines = head_text(member).split("\n")
    whole = lines[:-1] if len(lines) > 1 else lines
    return [line.rstrip("\r") for line in whole if line.strip()][:at_most]


def share(lines: Sequence[str], shape: re.Pattern[str]) -> float:
    """Which part, from 0 to 1, of ``lines`` has ``shape`` from end to end; 0 where there are no lines."""
    return sum(shape.fullmatch(line) is not None for line in lines) / len(lines) if lines else 0.0


def mostly(lines: Sequence[str], shape: re.Pattern[str]) -> bool:
    """Whether ``lines`` have ``shape``, but for the malformed rows that real files hold."""
    # Nine in ten: a file of another shape has none at all.
    return share(lines, shape) >= 0.9
