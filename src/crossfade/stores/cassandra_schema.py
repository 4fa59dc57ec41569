"""The layout of a keyspace, which the writer fills and the reader asks.

releases                      which releases exist, and which one is active: one partition, changed by transactions only
r000012_1f0c9a2b77de_lists    (table, key) → items and the surface table's own columns, each as a blob
r000012_1f0c9a2b77de_blocks   (name, place) → content: what is small is kept by the hundred, so that it loads quickly
r000012_1f0c9a2b77de_parts    (path, place) → content: the files of the release's parts, in pieces

Items are numbered by rank, separately for each kind; rank 0 has the most listeners. The blocks:

meta               JSON: what SQLite's meta says, and the digests by which the release is verified; written last of all
track_items, …     ranks by `ITEMS_A_BLOCK`: the columns of the items and of their parents, as MessagePack
track_ids, …       digests of ids → ranks, by digest
track_names, …     digests of names → ranks, by digest
track_grams rad    ranks of the names that have the gram, ascending, `RANKS_A_BLOCK` at most in each
users              ids by `USERS_A_BLOCK`, ascending, as MessagePack
user_ids           digests of ids → places among the users, by digest
bare_users         digests of ids without their source's name → places, by digest

Lists and ranks are little-endian int32 and float32, digests little-endian int64.
"""

import hashlib
import re
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from crossfade.stores.contract import Version, number_of

LAYOUT = 1
"""Raised whenever a reader of an earlier layout could misunderstand a release of a later one."""

ITEMS_A_BLOCK = 32  # some 4 KB
USERS_A_BLOCK = 256
DIGESTS_A_BLOCK = 256  # 3 KB
RANKS_A_BLOCK = 1 << 16  # 256 KB
GRAM_BLOCKS = 4  # of a gram are read: what is beyond its most popular 262,144 names is found by the other grams

META, USERS, USER_IDS, BARE_USERS = "meta", "users", "user_ids", "bare_users"

REGISTRY = """CREATE TABLE IF NOT EXISTS releases (
  library text, version text, active text STATIC, pinned boolean STATIC, PRIMARY KEY (library, version)
)"""

# Read by key: small chunks, so that little is read and unpacked besides.
_COMPRESSED = "WITH compression = {{'class': 'LZ4Compressor', 'chunk_length_in_kb': 4}}"
LISTS = f"""CREATE TABLE {{table}} (
  name text, key text, items blob, score blob, reason blob, reason_plays blob, PRIMARY KEY ((name, key))
) {_COMPRESSED}"""
BLOCKS = f"CREATE TABLE {{table}} (name text, place int, content blob, PRIMARY KEY ((name, place))) {_COMPRESSED}"
PARTS = "CREATE TABLE {table} (path text, place int, content blob, PRIMARY KEY ((path, place)))"
PIECE_BYTES = 1 << 19  # of a file: a write takes at most half a segment of Cassandra's log, 16 MB by default
PIECES_AT_ONCE = 16

_PREFIX = re.compile(r"r(\d{6,12})_([0-9a-f]{12})_(lists|blocks|parts)")

PAIR = np.dtype([("digest", "<i8"), ("place", "<i4")])
"""A digest and what it stands for."""


def table_of(version: Version, what: str) -> str:
    """Return the name of a table of ``version``; ArtifactError if that is not the name of a release."""
    number_of(version)
    return f"r{version.replace('-', '_')}_{what}"


def versions_among(tables: Iterable[str]) -> set[Version]:
    """Return every version that some of ``tables`` belong to."""
    found = map(_PREFIX.fullmatch, tables)
    return {Version(f"{match[1]}-{match[2]}") for match in found if match}


def text_digest(text: str) -> int:
    """Return a signed number of 64 bits that stands for ``text``."""
    digest = hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def block_of(digests: npt.ArrayLike, pairs: int) -> npt.NDArray[np.int64]:
    """Return the block of each digest, where there are so many pairs in all."""
    blocks: npt.NDArray[np.int64] = np.asarray(digests, dtype=np.int64) % max(1, -(-pairs // DIGESTS_A_BLOCK))
    return blocks
