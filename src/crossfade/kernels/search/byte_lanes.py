"""Sixteen sums of products of bytes at once: four times the products of `crossfade.kernels.lanes` an instruction.

A `Sums` value is sixteen int32 in registers and exists inside compiled kernels only. Where the processor has an
instruction that multiplies four pairs of bytes a lane and adds them up (AVX-512 VNNI), `add_products` is that
instruction; elsewhere it is some twelve of the common ones, with equal results: `has_byte_products` says which.

Offsets are in elements of a C-contiguous array of any shape. **Nothing is checked against the array's end.**
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import binding, ir  # type: ignore[import-untyped]
from numba import types
from numba.core import config

from crossfade.kernels.lanes import WIDTH, Floats, SixteenOf, described_by, is_array, is_floats, pointer_to, repeated

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.int32]

FOUR = 4
"""Bytes that a lane multiplies and adds up at once; widths of vectors are padded to a multiple of it."""


class Sums:
    """The type of the sixteen whole numbers, for readers and type checkers; never made outside kernels."""


_SUMS = SixteenOf(types.int32)
_WHOLE = ir.IntType(32)
_WHOLES = ir.VectorType(_WHOLE, WIDTH)
_BYTES = ir.VectorType(ir.IntType(8), FOUR * WIDTH)


def has_byte_products() -> bool:
    """Whether code that is compiled here may use the instruction for products of bytes."""
    if config.CPU_NAME == "generic":
        return False
    if config.CPU_FEATURES is not None:
        return "+avx512vnni" in config.CPU_FEATURES.split(",")
    return bool(binding.get_host_cpu_features().get("avx512vnni", False))


def _everywhere(number: int) -> Any:
    return ir.Constant(_WHOLES, [number] * WIDTH)


@described_by
def _load_bytes(typing: Any, array: Any, offset: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, signature.args[0], *args)
        return builder.load(builder.bitcast(pointer, _WHOLES.as_pointer()), align=1, typ=_WHOLES)

    return (_SUMS(array, types.int64), generate) if is_array(array, types.uint8) else None


@described_by
def _spread_word(typing: Any, array: Any, offset: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        word = builder.load(pointer_to(context, builder, signature.args[0], *args))
        return repeated(builder, word)

    return (_SUMS(array, types.int64), generate) if is_array(array, types.int32) else None


@described_by
def _add_products(typing: Any, unsigned: Any, signed: Any, sums: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        if has_byte_products():
            return _in_one_instruction(builder, *args)
        unsigned, signed, sums = args
        for byte in range(FOUR):
            one = builder.and_(builder.lshr(unsigned, _everywhere(8 * byte)), _everywhere(255))
            other = builder.ashr(builder.shl(signed, _everywhere(24 - 8 * byte)), _everywhere(24))
            sums = builder.add(sums, builder.mul(one, other))
        return sums

    return _SUMS(_SUMS, _SUMS, _SUMS), generate


def _in_one_instruction(builder: Any, unsigned: Any, signed: Any, sums: Any) -> Any:
    # LLVM 22 gave the operands the type that they have.
    kind = _BYTES if binding.llvm_version_info[0] >= 22 else _WHOLES
    function = builder.module.globals.get("llvm.x86.avx512.vpdpbusd.512")
    if function is None:
        described = ir.FunctionType(_WHOLES, [_WHOLES, kind, kind])
        function = ir.Function(builder.module, described, "llvm.x86.avx512.vpdpbusd.512")
    return builder.call(function, [sums, builder.bitcast(unsigned, kind), builder.bitcast(signed, kind)])


@described_by
def _both(typing: Any, first: Any, second: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.and_(*args)

    return _SUMS(_SUMS, _SUMS), generate


@described_by
def _all_negative(typing: Any, sums: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        mask = builder.bitcast(builder.icmp_signed(">=", args[0], _everywhere(0)), ir.IntType(WIDTH))
        return builder.icmp_unsigned("==", mask, ir.Constant(mask.type, 0))

    return types.boolean(_SUMS), generate


@described_by
def _not_negative(typing: Any, first: Any, second: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.IntType(64)
        low, high = (
            builder.zext(builder.bitcast(builder.icmp_signed(">=", sums, _everywhere(0)), ir.IntType(WIDTH)), wide)
            for sums in args
        )
        return builder.or_(low, builder.shl(high, wide(WIDTH)))

    return types.int64(_SUMS, _SUMS), generate


@described_by
def _at_least(typing: Any, array: Any, offset: Any, least: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, signature.args[0], *args[:2])
        sums = builder.load(builder.bitcast(pointer, _WHOLES.as_pointer()), align=4, typ=_WHOLES)
        bits = builder.icmp_signed(">=", sums, repeated(builder, builder.trunc(args[2], _WHOLE)))
        return builder.zext(builder.bitcast(bits, ir.IntType(WIDTH)), ir.IntType(64))

    return (types.int64(array, types.int64, types.int64), generate) if is_array(array, types.int32) else None


@described_by
def _lowest(typing: Any, mask: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return (types.int64(types.int64), generate) if mask == types.int64 else None


@described_by
def _store_sums(typing: Any, array: Any, offset: Any, sums: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, signature.args[0], *args[:2])
        builder.store(args[2], builder.bitcast(pointer, _WHOLES.as_pointer()), align=4)
        return context.get_dummy_value()

    return (types.void(array, types.int64, _SUMS), generate) if is_array(array, types.int32) else None


@described_by
def _chained(typing: Any, first: Any, at: Any, second: Any, by: Any, sum_: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        one = builder.load(pointer_to(context, builder, kinds[0], args[0], args[1]))
        other = builder.load(pointer_to(context, builder, kinds[2], args[2], args[3]))
        return builder.fma(one, other, args[4])

    signature = types.float32(first, types.int64, second, types.int64, types.float32)
    return (signature, generate) if is_floats(first) and is_floats(second) else None


load_bytes: Callable[[Bytes, int], Sums] = _load_bytes
"""The sixty-four bytes from an offset of an array on, four to a lane."""

spread_word: Callable[[Words, int], Sums] = _spread_word
"""The number at an offset of an array, sixteen times."""

add_products: Callable[[Sums, Sums, Sums], Sums] = _add_products
"""c + Σ a b over the four bytes of each lane, those of ``a`` from 0 to 255, those of ``b`` from -128 to 127."""

both: Callable[[Sums, Sums], Sums] = _both
"""a & b: negative where both are."""

all_negative: Callable[[Sums], bool] = _all_negative
"""Whether all sixteen numbers are negative."""

not_negative: Callable[[Sums, Sums], int] = _not_negative
"""A bit for each of thirty-two numbers, the first lane's the lowest: whether it is not negative."""

at_least: Callable[[Words, int, int], int] = _at_least
"""A bit for each of the sixteen numbers from an offset of an array on: whether it is no less than a number."""

lowest: Callable[[int], int] = _lowest
"""The place of the lowest bit that is set; there must be one."""

store_sums: Callable[[Words, int, Sums], None] = _store_sums
"""Write sixteen numbers to an array from an offset on."""

chained: Callable[[Floats, int, Floats, int, np.float32], np.float32] = _chained
"""a[i] b[j] + c, rounded once: one step of the chain that a lane of `crossfade.kernels.lanes` takes."""
