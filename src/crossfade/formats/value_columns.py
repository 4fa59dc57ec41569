"""`crossfade.formats.values` for whole Arrow columns: the same result for every value, without a step per row.

Values in their usual notation are converted at once. The few others are converted one by one by the functions of
`values`, each distinct value once, so that both modules agree by construction.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from crossfade.formats import values
from crossfade.formats.listenbrainz_rows import mbids

Mask = npt.NDArray[np.bool_]

DATE = (
    "[1-9][0-9]{3}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|"
    "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
"""A regular expression for the days from the year 1000 on, but for 29 February."""
MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"

_ISO = f"^{DATE}[T ]{MINUTE}(?::[0-5][0-9](?:\\.[0-9]{{3}}|\\.[0-9]{{6}})?)?Z?$"
_NUMBER = r"^-?[0-9]{1,15}(?:\.[0-9]{1,6})?$"
# Blanks of any script, control characters and the invisible: what str.strip may remove.
_LOOSE = r"^[\x00-\x20\x7f-\x{a0}\pZ]|[\x00-\x20\x7f-\x{a0}\pZ]$|^$"


def plain(column: pa.Array) -> pa.Array:
    """Return a column of any type as text, int64, float64, boolean or null, which the other functions take.

    Times become seconds since 1970; bytes that are not UTF-8, and values of any other type, become null.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return _valid_text(column)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        since = column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return _over(_floats(since), since.is_null().to_numpy(zero_copy_only=False), 1e6)
    if pa.types.is_uint64(kind) or pa.types.is_floating(kind):
        return column.cast(pa.float64(), safe=False)
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    return column if pa.types.is_boolean(kind) else pa.nulls(len(column))


def names(column: pa.Array) -> pa.Array:
    """Return texts without blanks around them, null for an empty one; whole numbers as text."""
    if pa.types.is_integer(column.type):
        return column.cast(pa.string())
    if not pa.types.is_string(column.type):
        return pa.nulls(len(column), pa.string())
    return _with_odd(column, _matches(column, _LOOSE), column, values.text)


def identifiers(column: pa.Array, source: str) -> pa.Array:
    """Return ids: a name with a colon and an MBID as they are, any other after the name of its ``source``."""
    ids = names(column)
    if ids.null_count == len(ids):
        return ids
    known = pc.coalesce(pc.if_else(pc.match_substring(ids, ":"), ids, None), mbids(ids))
    return pc.coalesce(known, pc.binary_join_element_wise(source, ids, ":"))


def numbers(column: pa.Array) -> pa.Array:
    """Return float64, null for what is not a finite number."""
    if pa.types.is_string(column.type):
        usual = _matches(column, _NUMBER)
        fast = pc.if_else(pa.array(usual), column, None).cast(pa.float64())
        return _with_odd(column, ~usual, fast, values.number)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return pa.nulls(len(column), pa.float64())
    floats = column.cast(pa.float64(), safe=False)
    return pc.if_else(pc.is_finite(floats), floats, None)


def times(column: pa.Array) -> pa.Array:
    """Return float64 seconds since 1970, as `values.time` reads them."""
    if pa.types.is_string(column.type):
        usual = _matches(column, _NUMBER)
        since = _scaled(pc.if_else(pa.array(usual), column, None).cast(pa.float64()))
        return pc.coalesce(since, calendar_times(pc.if_else(pa.array(usual), None, column), _ISO, values.time))
    return _scaled(numbers(column))


def calendar_times(texts: pa.Array, shape: str, odd: Callable[[str], float | None]) -> pa.Array:
    """Return float64 seconds since 1970 of ISO 8601 times in UTC.

    ``shape`` is a regular expression for times that are converted at once; the others go to ``odd``.
    """
    usual = _matches(texts, shape)
    since = pc.utf8_rtrim(pc.if_else(pa.array(usual), texts, None), "Z").cast(pa.timestamp("us")).cast(pa.int64())
    return _with_odd(texts, ~usual, _over(_floats(since), ~usual, 1e6), odd)


def milliseconds(column: pa.Array, *, zero: bool = False) -> pa.Array:
    """Return int64 lengths of time above zero, or from zero on; null for others."""
    lengths = numbers(column)
    least = pc.greater_equal(lengths, 0.0) if zero else pc.greater(lengths, 0.0)
    inside = pc.and_(least, pc.less(lengths, float(2**31 - 1)))
    return pc.round(pc.if_else(inside, lengths, None), round_mode="half_to_even").cast(pa.int64())


def truths(column: pa.Array) -> pa.Array:
    """Return booleans, as `values.truth` reads them."""
    if pa.types.is_string(column.type):
        return _with_odd(column, np.ones(len(column), dtype=bool), pa.nulls(len(column), pa.bool_()), values.truth)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return pc.not_equal(column.cast(pa.float64(), safe=False), 0.0)
    return column.cast(pa.bool_())


def _valid_text(column: pa.Array) -> pa.Array:
    texts = column.cast(pa.string())
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        from crossfade.formats.parquet_files import decoded

        return pa.array(decoded(texts), pa.string())
    return texts


def _with_odd(column: pa.Array, odd: Mask, fast: pa.Array, convert: Callable[[Any], Any]) -> pa.Array:
    """Return ``fast`` (n,), with ``convert`` of the values of ``column`` where ``odd`` and not null."""
    odd = odd & column.is_valid().to_numpy(zero_copy_only=False)
    if not odd.any():
        return fast
    encoded = column.filter(pa.array(odd)).dictionary_encode()
    converted = pa.array([convert(value) for value in encoded.dictionary.to_pylist()], fast.type)
    return pc.replace_with_mask(fast, pa.array(odd), converted.take(encoded.indices))


def _matches(texts: pa.Array, shape: str) -> Mask:
    mask: Mask = pc.match_substring_regex(texts, shape).fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def _floats(column: pa.Array) -> npt.NDArray[np.float64]:
    floats: npt.NDArray[np.float64] = column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
    return floats


def _over(numerators: npt.NDArray[np.float64], missing: Mask, denominator: float) -> pa.Array:
    return pa.array(numerators / denominator, mask=missing)


def _scaled(since: pa.Array) -> pa.Array:
    """Return seconds from seconds, milliseconds, microseconds or nanoseconds, which their size tells apart."""
    numbers_ = _floats(since)
    seconds, left = np.zeros(len(numbers_)), since.is_valid().to_numpy(zero_copy_only=False)
    missing = ~left
    for below, per_second in values.UNITS:
        fits = left & (np.abs(numbers_) < below)
        seconds[fits] = numbers_[fits] / per_second
        left = left & ~fits
    return pa.array(seconds, mask=missing | left)
