"""Buckets of users: hashes of ids that are the same on every machine, by which the listens of an import are divided."""

import re
import zlib
from pathlib import Path

BUCKETS = 4096  # so that a thousand million rows still fall into groups of a quarter million

_PART = re.compile(r"part-(\d+)-(\d+)")


def bucket_of(key: str) -> int:
    """Return the bucket, 0 to BUCKETS - 1, of a key."""
    return zlib.crc32(key.encode()) % BUCKETS


def part_name(first: int, last: int) -> str:
    """Return the name of the Parquet file with the rows of the buckets ``first`` to ``last``, inclusive."""
    return f"part-{first:04d}-{last:04d}.parquet"


def buckets_of_part(path: Path) -> tuple[int, int] | None:
    """Return the first and the last bucket of a file that is named as `part_name` does; None for another."""
    part = _PART.fullmatch(path.stem)
    return None if part is None else (int(part[1]), int(part[2]))


def may_have(path: Path, first: int, last: int) -> bool:
    """Return whether a file can have rows of the buckets ``first`` to ``last``: any that is not named as a part can."""
    buckets = buckets_of_part(path)
    return buckets is None or (buckets[0] <= last and buckets[1] >= first)
