"""A whole short vector in registers: a tuple of `Lanes`, as many as the kernel was compiled for.

A vector that is used twice, for an inner product and then for a sum, is so loaded once; on processors that load
no more numbers a cycle than they multiply, loads are what decides. The length of a strip is part of its type:
a kernel that takes one, or the tuple of integers that stands for its length, is compiled for each length. Beyond
some eight lanes there are no registers left to hold several.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from crossfade.kernels.lanes import (
    LANES,
    VECTOR,
    WIDTH,
    Floats,
    Lanes,
    described_by,
    fetched,
    fused,
    is_floats,
    pointer_to,
    repeated,
)

Strip: TypeAlias = tuple[Lanes, ...]

Blocks: TypeAlias = tuple[int, ...]
"""As many zeros as a strip has lanes."""


def _strip_of(count: int) -> Any:
    return types.UniTuple(LANES, count)


def _is_strip(kind: Any) -> bool:
    return isinstance(kind, types.UniTuple) and kind.dtype == LANES


def _packed(context: Any, builder: Any, signature: Any, parts: list[Any]) -> Any:
    return context.make_tuple(builder, signature.return_type, parts)


@described_by
def _zeros(typing: Any, blocks: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        nothing = ir.Constant(VECTOR, [0.0] * WIDTH)
        return _packed(context, builder, signature, [nothing] * len(signature.return_type))

    return _strip_of(len(blocks))(blocks), generate


@described_by
def _load_strip(typing: Any, array: Any, offset: Any, blocks: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer_to(context, builder, signature.args[0], *args[:2])
        parts = []
        for place in range(len(signature.return_type)):
            pointer = builder.gep(start, [ir.Constant(ir.IntType(64), place * WIDTH)])
            parts.append(builder.load(builder.bitcast(pointer, VECTOR.as_pointer()), align=4, typ=VECTOR))
        return _packed(context, builder, signature, parts)

    return (_strip_of(len(blocks))(array, types.int64, blocks), generate) if is_floats(array) else None


@described_by
def _store_strip(typing: Any, array: Any, offset: Any, strip: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer_to(context, builder, signature.args[0], *args[:2])
        for place, part in enumerate(cgutils.unpack_tuple(builder, args[2])):
            pointer = builder.gep(start, [ir.Constant(ir.IntType(64), place * WIDTH)])
            builder.store(part, builder.bitcast(pointer, VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    return (types.void(array, types.int64, strip), generate) if is_floats(array) and _is_strip(strip) else None


@described_by
def _inner_lanes(typing: Any, first: Any, second: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = list(zip(*(cgutils.unpack_tuple(builder, strip) for strip in args), strict=True))
        sums = builder.fmul(*pairs[0])
        for one, other in pairs[1:]:
            sums = fused(builder, one, other, sums)
        return sums

    return (LANES(first, second), generate) if _is_strip(first) and first == second else None


@described_by
def _add_multiple(typing: Any, strip: Any, multiple: Any, sums: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = zip(*(cgutils.unpack_tuple(builder, each) for each in (args[0], args[2])), strict=True)
        return _packed(context, builder, signature, [fused(builder, part, args[1], term) for part, term in pairs])

    return (strip(strip, LANES, sums), generate) if _is_strip(strip) and strip == sums else None


@described_by
def _add_spread(typing: Any, array: Any, offset: Any, apart: Any, lanes: Any, sums: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer_to(context, builder, signature.args[0], *args[:2])
        parts = []
        for place, term in enumerate(cgutils.unpack_tuple(builder, args[4])):
            pointer = builder.gep(start, [builder.mul(args[2], ir.Constant(ir.IntType(64), place))])
            parts.append(fused(builder, repeated(builder, builder.load(pointer)), args[3], term))
        return _packed(context, builder, signature, parts)

    found = sums(array, types.int64, types.int64, LANES, sums)
    return (found, generate) if is_floats(array) and _is_strip(sums) else None


@described_by
def _store_apart(typing: Any, array: Any, offset: Any, apart: Any, strip: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer_to(context, builder, signature.args[0], *args[:2])
        for place, part in enumerate(cgutils.unpack_tuple(builder, args[3])):
            pointer = builder.gep(start, [builder.mul(args[2], ir.Constant(ir.IntType(64), place))])
            builder.store(part, builder.bitcast(pointer, VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    found = types.void(array, types.int64, types.int64, strip)
    return (found, generate) if is_floats(array) and _is_strip(strip) else None


@described_by
def _add_product(typing: Any, first: Any, second: Any, sums: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        triples = zip(*(cgutils.unpack_tuple(builder, each) for each in args), strict=True)
        return _packed(context, builder, signature, [fused(builder, *triple) for triple in triples])

    return (sums(first, second, sums), generate) if _is_strip(sums) and first == second == sums else None


@described_by
def _prefetch_strip(typing: Any, array: Any, offset: Any, blocks: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        start = pointer_to(context, builder, signature.args[0], *args[:2])
        for place in range(len(signature.args[2])):
            fetched(builder, builder.gep(start, [ir.Constant(ir.IntType(64), place * WIDTH)]))
        return context.get_dummy_value()

    return (types.void(array, types.int64, blocks), generate) if is_floats(array) else None


zeros: Callable[[Blocks], Strip] = _zeros
"""A strip of zeros, as long as ``blocks``."""

load_strip: Callable[[Floats, int, Blocks], Strip] = _load_strip
"""The numbers from an offset of an array on, as many lanes as ``blocks``."""

store_strip: Callable[[Floats, int, Strip], None] = _store_strip
"""Write a strip to an array from an offset on."""

inner_lanes: Callable[[Strip, Strip], Lanes] = _inner_lanes
"""Σ a b over the lanes of two strips: sixteen parts of their inner product."""

add_multiple: Callable[[Strip, Lanes, Strip], Strip] = _add_multiple
"""a · multiple + sums, lane by lane."""

prefetch_strip: Callable[[Floats, int, Blocks], None] = _prefetch_strip
"""Ask for all cache lines of a strip at an offset of an array; a wrong offset does no harm."""

add_product: Callable[[Strip, Strip, Strip], Strip] = _add_product
"""a b + sums, number by number."""

add_spread: Callable[[Floats, int, int, Lanes, Strip], Strip] = _add_spread
"""The numbers at an offset of an array and each so far from the one before, times the lanes, + sums."""

store_apart: Callable[[Floats, int, int, Strip], None] = _store_apart
"""Write the lanes of a strip to an array, the first from an offset on and each so far from the one before."""
