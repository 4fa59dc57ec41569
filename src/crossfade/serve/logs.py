"""The log of the server: one line an event on standard error; of other libraries, warnings, each seldom."""

import logging
import time

MOST_MESSAGES = 1000  # different ones that are remembered

REPEATED_SECONDS = 60.0
"""The same warning of another library is logged once in so many seconds."""


def log_readably() -> None:
    """Log one line an event to standard error, with the time; from other libraries only warnings."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    others = logging.StreamHandler()
    others.setFormatter(handler.formatter)
    others.addFilter(Seldom())
    for name, level, to in (
        ("crossfade.serve", logging.INFO, handler),
        ("uvicorn", logging.WARNING, others),
        ("asyncio", logging.WARNING, others),
    ):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [to], False
        logger.setLevel(level)
    logging.getLogger("crossfade.serve.connections").filters = [Seldom()]


class Seldom(logging.Filter):
    """Passes a message on once in `REPEATED_SECONDS`, without the traceback of what the machine is short of."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the message was not logged lately."""
        text = record.getMessage().partition("\n")[0]
        now = time.monotonic()
        if now - self._last.get(text, float("-inf")) < REPEATED_SECONDS:
            return False
        if len(self._last) >= MOST_MESSAGES:
            self._last.clear()
        self._last[text] = now
        if record.exc_info and isinstance(record.exc_info[1], OSError):
            record.msg, record.args, record.exc_info = f"{text}: {record.exc_info[1]}", None, None
        return True
