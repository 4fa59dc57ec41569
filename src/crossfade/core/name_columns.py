"""`crossfade.core.names` for whole Arrow columns: the same ids, without a step per name."""

import pyarrow as pa
import pyarrow.compute as pc

from crossfade.core.names import LONGEST, NAMED, normalised

_UNUSUAL = r"[^\x21-\x7e ]|  |^ | $"
"""What `normalised` changes besides the case, or may: anything but printable ASCII, and blanks to collapse."""


def named_ids(names: pa.Array, parents: pa.Array | None = None) -> pa.Array:
    """Return `names.named_id` of ``names`` (n,) and their ``parents``; null where one of them is null."""
    own = _normalised(names)
    if parents is None:
        return pc.binary_join_element_wise(NAMED, own, "")
    return pc.binary_join_element_wise(NAMED, _normalised(parents), " / ", own, "")


def _normalised(names: pa.Array) -> pa.Array:
    lowered = pc.ascii_lower(names)
    long = pc.greater(pc.binary_length(names), LONGEST)
    odd = pc.or_(pc.match_substring_regex(names, _UNUSUAL), long).fill_null(False)
    if not pc.any(odd).as_py():
        return lowered
    encoded = names.filter(odd).dictionary_encode()
    folded = pa.array([normalised(name) for name in encoded.dictionary.to_pylist()], pa.string())
    return pc.replace_with_mask(lowered, odd, folded.take(encoded.indices))
