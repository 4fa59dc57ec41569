"""Rows of the live state as JSON: written from the types of `crossfade.stores.live`, and read as such."""

from typing import Any, TypeVar

import msgspec

from crossfade.core.errors import ArtifactError, CrossfadeError

Row = TypeVar("Row")


def written(row: object) -> bytes:
    """Return ``row`` as JSON."""
    return msgspec.json.encode(row)


def read(of: type[Row], body: bytes) -> Row:
    """Return a row of the type ``of``; ArtifactError if it is damaged."""
    decoder = _decoders.get(of) or _decoders.setdefault(of, msgspec.json.Decoder(of))
    try:
        decoded: Row = decoder.decode(body)
    except (msgspec.DecodeError, CrossfadeError) as error:
        raise ArtifactError(f"The live state has a damaged {of.__name__}. Restore a backup.") from error
    return decoded


_decoders: dict[type, Any] = {}  # building one costs more than decoding
