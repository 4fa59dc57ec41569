"""Names of files as text.

A name on a disk or in an archive is bytes, which need not be text. Python represents other bytes by halves of surrogate
pairs, which can be neither written to a file nor printed.
"""

from pathlib import PurePath


def shown(path: PurePath | str) -> str:
    r"""Return ``path`` as it can be printed and written; bytes that are not text are escaped (``\udcff``)."""
    return str(path).encode(errors="backslashreplace").decode()
