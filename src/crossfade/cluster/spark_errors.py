"""Errors of tasks on their way from an executor, and what Java says in one line."""

import base64
import contextlib
import pickle
import re
from collections.abc import Mapping
from pathlib import Path

from crossfade.core.errors import CrossfadeError

_CARRIED = re.compile(r"crossfade-error:([A-Za-z0-9+/=]*);")

_KNOWN: Mapping[str, str] = {
    r"\((?P<host>\S+) executor.*?different version: (?P<there>[\d.]+?)\.? than that in driver: (?P<here>[\d.]+)": (
        "{host} has Python {there}, this machine {here}. Install the same there, or set python in [spark]"
    ),
    r"\((?P<host>\S+) executor.*?Cannot run program \"(?P<program>[^\"]+)\"": (
        "{host} has no {program}. Install Python there, or set python in [spark]"
    ),
    r"\((?P<host>\S+) executor.*?No module named '?(?P<package>\w+)": (
        "{host} lacks the package {package}. Install it there, or set python in [spark] to an environment that has it"
    ),
    r"ExecutorLostFailure|Python worker exited unexpectedly": (
        "a task ended its process each time it was carried out. "
        "Most often it takes too much memory: raise memory_mb or lower cores in [spark]"
    ),
}
"""What is to be done, by a pattern of what Java says."""


def carrying(error: BaseException) -> RuntimeError:
    """Return an error that takes another through the text of Java's."""
    return RuntimeError(f"crossfade-error:{base64.b64encode(packed(error)).decode()};")


def translated(error: BaseException, log: Path) -> BaseException:
    """Return what a task raised, or else one line that says why Spark failed, and the file that has more."""
    text = str(error)
    if (carried := _CARRIED.search(text)) is not None:
        with contextlib.suppress(Exception):
            return unpacked(base64.b64decode(carried[1]))
    return CrossfadeError(f"Spark failed: {reason(text)}. Its messages are in {log}")


def reason(text: str) -> str:
    """Return the first useful line of what Java says."""
    for pattern, what_to_do in _KNOWN.items():
        if (found := re.search(pattern, text, re.DOTALL)) is not None:
            return what_to_do.format(**found.groupdict())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = [line for line in lines if re.match(r"(: )?[\w.]*(Error|Exception)\b", line)]
    return (said or lines or ["it gives no reason"])[0].lstrip(": ").rstrip(".")


def packed(error: BaseException) -> bytes:
    """Return an error as bytes: its class, what it says, what it has."""
    with contextlib.suppress(Exception):
        made = pickle.dumps((type(error), error.args, error.__dict__))
        unpacked(made)
        return made
    return pickle.dumps((RuntimeError, (f"{type(error).__name__}: {error}",), {}))


def unpacked(made: bytes) -> BaseException:
    """Return the error of `packed`, which only tasks of this application made, and Spark brought."""
    cls, arguments, attributes = pickle.loads(made)  # noqa: S301
    error: BaseException = cls.__new__(cls, *arguments)
    BaseException.__init__(error, *arguments)  # a class of ours would add to its message once more
    error.__dict__.update(attributes)
    return error
