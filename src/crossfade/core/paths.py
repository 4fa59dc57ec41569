"""Names of files as text.

A name on a disk or in an archive is bytes, which need not be text. Python stands for such bytes by halves of
surrogate pairs, which can neither be written to a file nor printed.
"""

from pathlib import PurePath


def shown(path: PurePath | str) -> str:
    r"""``path`` as people read it, and as it can be written; what is not text in it is escaped (``\udcff``)."""
    return str(path).encode(errors="backslashreplace").decode()
