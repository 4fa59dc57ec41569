"""The files of an index: the backend's own, and ``index.json``, which describes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crossfade.core.artifacts import file_digest
from crossfade.core.errors import ArtifactError
from crossfade.core.spaces import Metric, VectorSpace
from crossfade.nearest.contract import Index

DESCRIPTION = "index.json"

VERSION = 1
"""Of the layout of an index's directory; raised when the layout changes."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """The content of ``index.json``; ``files`` has the SHA-256 of each file of the backend by name."""

    version: int
    backend: str
    space_id: str
    metric: Metric
    files: Mapping[str, str]
    details: Mapping[str, Any]


def write_description(directory: Path, index: Index, details: Mapping[str, Any], *files: str) -> None:
    """Describe ``index`` and the ``files`` it has just written into ``directory``."""
    described = {
        "version": VERSION,
        "backend": index.backend,
        "space_id": index.space_id,
        "metric": index.metric,
        "files": {name: file_digest(directory / name) for name in files},
        "details": dict(details),
    }
    (directory / DESCRIPTION).write_text(json.dumps(described, indent=2, sort_keys=True) + "\n")


def read_description(directory: Path, backend: str, space: VectorSpace) -> Description:
    """Return the description in ``directory``, after every file was compared with its checksum.

    Raises SpaceMismatchError if it was built from another space than ``space``, and ArtifactError if it is
    damaged, incomplete, of another version or of another backend.
    """
    described = describe(directory)
    if described.backend != backend:
        raise ArtifactError(f"{directory} has an index of the kind {described.backend!r}, not {backend!r}.")
    space.require_same(described.space_id, f"The index in {directory}")
    for name, checksum in described.files.items():
        path = directory / name
        if not path.is_file():
            raise ArtifactError(f"{path} is missing. Build the index again.")
        if file_digest(path) != checksum:
            raise ArtifactError(f"{path} does not match its checksum: it is damaged. Build the index again.")
    return described


def describe(directory: Path) -> Description:
    """Return the description in ``directory``; ArtifactError if it is missing or of another version."""
    path = directory / DESCRIPTION
    try:
        fields = json.loads(path.read_text("utf-8"))
        version = fields["version"]
        if version != VERSION:
            raise ArtifactError(f"{path} has version {version}, this Crossfade reads {VERSION}. Build the index again.")
        described = Description(**fields)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}. Build the index again.") from error
    if (
        described.metric not in ("dot", "cosine")
        or not isinstance(described.files, dict)
        or not isinstance(described.details, dict)
        or any(Path(name).name != name for name in described.files)
    ):
        raise ArtifactError(f"{path} is damaged. Build the index again.")
    return described
