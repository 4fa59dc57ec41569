"""Sixteen float32 numbers at once, for kernels whose speed hangs on the processor's vector unit.

Numba vectorises plain loops well as long as nothing has to stay in registers across them; products of many
short vectors want just that. A `Lanes` value lives in registers and exists inside compiled kernels only. LLVM
maps it to one 512-bit register, two of 256 bits, or four of 128, whichever the processor has.

Offsets are in elements from the start of a C-contiguous float32 array of any shape. **Nothing is checked
against the array's end.** Arrays from `aligned` start on a cache line, so that no load straddles two.
"""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from crossfade.kernels.compile import jit

Floats: TypeAlias = npt.NDArray[np.float32]

WIDTH = 16
"""Lanes of a `Lanes`; widths of vectors are padded to a multiple of it."""

LINE = 64
"""Bytes of a cache line."""


def aligned(*shape: int) -> Floats:
    """Zeros float32 of ``shape`` that start on a cache line."""
    size = int(np.prod(shape, dtype=np.int64))
    room = np.zeros(size + LINE // 4, dtype=np.float32)
    skipped = (-room.ctypes.data % LINE) // 4
    return room[skipped : skipped + size].reshape(shape)


def padded(width: int) -> int:
    """The least multiple of WIDTH that is not below ``width``."""
    return -(-width // WIDTH) * WIDTH


EXPONENTS = 60.0
"""The exponential stays at that of ± this beyond: sums of many such are still far from the largest float32."""


class Lanes:
    """The type of the sixteen numbers, for readers and type checkers; never made outside kernels."""


class SixteenOf(types.Type):  # type: ignore[misc]
    """Numba's type of sixteen numbers that are each of the type ``number`` of Numba."""

    def __init__(self, number: Any) -> None:
        self.number = number
        super().__init__(name=f"SixteenOf({number})")


@register_model(SixteenOf)
class _SixteenModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.VectorType(manager[kind.number].get_value_type(), WIDTH))


LANES = SixteenOf(types.float32)
_FLOAT = ir.FloatType()
VECTOR = ir.VectorType(_FLOAT, WIDTH)


def described_by(described: Callable[..., Any]) -> Any:
    """A function that emits its own LLVM code; ``described`` gives its signature and what emits it."""
    return intrinsic(described)


def pointer_to(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [offset])


def is_array(array_type: Any, number: Any) -> bool:
    return isinstance(array_type, types.Array) and array_type.dtype == number and array_type.layout == "C"


def is_floats(array_type: Any) -> bool:
    return is_array(array_type, types.float32)


def fused(builder: Any, first: Any, second: Any, term: Any) -> Any:
    """A product and a sum, rounded once."""
    function = ir.FunctionType(VECTOR, [VECTOR] * 3)
    multiply_and_add = cgutils.get_or_insert_function(builder.module, function, f"llvm.fma.v{WIDTH}f32")
    return builder.call(multiply_and_add, [first, second, term])


def shuffled(builder: Any, first: Any, second: Any, places: Sequence[int]) -> Any:
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(ir.IntType(32), len(places)), list(places)))


@described_by
def _zero(typing: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return ir.Constant(VECTOR, [0.0] * WIDTH)

    return LANES(), generate


@described_by
def _spread(typing: Any, number: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return repeated(builder, args[0])

    return (LANES(types.float32), generate) if number == types.float32 else None


@described_by
def _spread_from(typing: Any, array: Any, offset: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return repeated(builder, builder.load(pointer_to(context, builder, signature.args[0], *args)))

    return (LANES(array, types.int64), generate) if is_floats(array) else None


@described_by
def _load(typing: Any, array: Any, offset: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, signature.args[0], *args)
        return builder.load(builder.bitcast(pointer, VECTOR.as_pointer()), align=4, typ=VECTOR)

    return (LANES(array, types.int64), generate) if is_floats(array) else None


@described_by
def _store(typing: Any, array: Any, offset: Any, lanes: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, signature.args[0], *args[:2])
        builder.store(args[2], builder.bitcast(pointer, VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    return (types.void(array, types.int64, LANES), generate) if is_floats(array) else None


@described_by
def _reaching(typing: Any, array: Any, offset: Any, floor: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, signature.args[0], *args[:2])
        numbers = builder.load(builder.bitcast(pointer, VECTOR.as_pointer()), align=4, typ=VECTOR)
        bits = builder.fcmp_ordered(">=", numbers, repeated(builder, args[2]))
        return builder.zext(builder.bitcast(bits, ir.IntType(WIDTH)), ir.IntType(64))

    return (types.int64(array, types.int64, types.float32), generate) if is_floats(array) else None


@described_by
def _add(typing: Any, first: Any, second: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fadd(*args)

    return LANES(LANES, LANES), generate


@described_by
def _multiply(typing: Any, first: Any, second: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fmul(*args)

    return LANES(LANES, LANES), generate


@described_by
def _multiply_add(typing: Any, first: Any, second: Any, sum_: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return fused(builder, *args)

    return LANES(LANES, LANES, LANES), generate


@described_by
def _divide(typing: Any, first: Any, second: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fdiv(*args)

    return LANES(LANES, LANES), generate


@described_by
def _exponential(typing: Any, lanes: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def called(name: str, *operands: Any) -> Any:
            function = ir.FunctionType(VECTOR, [VECTOR] * len(operands))
            return builder.call(
                cgutils.get_or_insert_function(builder.module, function, f"{name}.v{WIDTH}f32"), operands
            )

        def constant(number: float) -> Any:
            return ir.Constant(VECTOR, [number] * WIDTH)

        # eˣ = 2ⁿ eʳ with n whole and |r| <= ln 2 / 2; ln 2 in two parts, so that r is rounded once.
        bounded = called("llvm.maxnum", called("llvm.minnum", args[0], constant(EXPONENTS)), constant(-EXPONENTS))
        whole = called("llvm.rint", builder.fmul(bounded, constant(1.4426950408889634)))
        rest = called("llvm.fma", whole, constant(-0.693359375), bounded)
        rest = called("llvm.fma", whole, constant(2.12194440e-4), rest)
        sums = constant(1 / 5040)
        for factorial in (720, 120, 24, 6, 2, 1, 1):
            sums = called("llvm.fma", sums, rest, constant(1 / factorial))
        integers = ir.VectorType(ir.IntType(32), WIDTH)
        biased = builder.add(builder.fptosi(whole, integers), ir.Constant(integers, [127] * WIDTH))
        power = builder.bitcast(builder.shl(biased, ir.Constant(integers, [23] * WIDTH)), VECTOR)
        return builder.fmul(sums, power)

    return LANES(LANES), generate


@described_by
def _total(typing: Any, lanes: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        sums, width = args[0], WIDTH
        while width > 1:
            width //= 2
            sums = builder.fadd(
                shuffled(builder, sums, sums, range(width)), shuffled(builder, sums, sums, range(width, 2 * width))
            )
        return builder.extract_element(sums, ir.Constant(ir.IntType(32), 0))

    return types.float32(LANES), generate


@described_by
def _store_totals(
    typing: Any, array: Any, offset: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = pointer_to(context, builder, signature.args[0], *args[:2])
        totals = _totals_of_eight(builder, args[2:])
        builder.store(totals, builder.bitcast(pointer, totals.type.as_pointer()), align=4)
        return context.get_dummy_value()

    return (types.void(array, types.int64, *[LANES] * 8), generate) if is_floats(array) else None


@described_by
def _totals_of_four(typing: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        a, b, c, d = args
        pairs = [_halved(builder, a, b, 2), _halved(builder, c, d, 2)]
        sums = _halved(builder, pairs[0], pairs[1], 1)
        for shift in (8, 4):
            places = [(place + shift) % WIDTH for place in range(WIDTH)]
            sums = builder.fadd(sums, shuffled(builder, sums, sums, places))
        return sums

    return LANES(*[LANES] * 4), generate


@described_by
def _load_four(typing: Any, array: Any, offset: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind = ir.VectorType(_FLOAT, 4)
        pointer = builder.bitcast(pointer_to(context, builder, signature.args[0], *args), kind.as_pointer())
        four = builder.load(pointer, align=4, typ=kind)
        return shuffled(builder, four, four, [*range(4)] * 4)

    return (LANES(array, types.int64), generate) if is_floats(array) else None


@described_by
def _store_four(typing: Any, array: Any, offset: Any, lanes: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        four = shuffled(builder, args[2], args[2], range(4))
        pointer = pointer_to(context, builder, signature.args[0], *args[:2])
        builder.store(four, builder.bitcast(pointer, four.type.as_pointer()), align=4)
        return context.get_dummy_value()

    return (types.void(array, types.int64, LANES), generate) if is_floats(array) else None


def _spread_of_four(place: int) -> Any:
    def described(typing: Any, lanes: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return shuffled(builder, args[0], args[0], [four + place for four in range(0, WIDTH, 4) for _ in range(4)])

        return LANES(LANES), generate

    return described_by(described)


@described_by
def _prefetch(typing: Any, array: Any, offset: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        fetched(builder, pointer_to(context, builder, signature.args[0], *args))
        return context.get_dummy_value()

    return (types.void(array, types.int64), generate) if is_floats(array) else None


def fetched(builder: Any, address: Any) -> None:
    """Emit a request for the cache line at ``address``."""
    pointer, number = builder.bitcast(address, ir.IntType(8).as_pointer()), ir.IntType(32)
    fetch = builder.module.declare_intrinsic(
        "llvm.prefetch", [pointer.type], ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
    )
    # To read (0), into the second-level cache (2), as data (1).
    builder.call(fetch, [pointer, number(0), number(2), number(1)])


def repeated(builder: Any, number: Any) -> Any:
    nothing = ir.Constant(ir.VectorType(number.type, WIDTH), ir.Undefined)
    single = builder.insert_element(nothing, number, ir.Constant(ir.IntType(32), 0))
    return shuffled(builder, single, single, [0] * WIDTH)


@described_by
def _store_turned(typing: Any, panel: Any, at: Any, vectors: Any, starts: Any, offset: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        into, at, read, starts, offset = args
        panel_type, _, vectors_type, starts_type, _ = signature.args
        rows = []
        for lane in range(WIDTH):
            start = builder.load(pointer_to(context, builder, starts_type, starts, ir.Constant(ir.IntType(64), lane)))
            pointer = pointer_to(context, builder, vectors_type, read, builder.add(start, offset))
            rows.append(builder.load(builder.bitcast(pointer, VECTOR.as_pointer()), align=4, typ=VECTOR))
        # Each round swaps the blocks beside the diagonal: of 1 by 1 in all squares of 2 by 2, of 2 by 2, of 4 by 4, …
        for apart in (1, 2, 4, 8):
            low = [place if not place & apart else WIDTH + place - apart for place in range(WIDTH)]
            high = [place + apart if not place & apart else WIDTH + place for place in range(WIDTH)]
            for one in (row for row in range(WIDTH) if not row & apart):
                first, second = rows[one], rows[one + apart]
                rows[one] = shuffled(builder, first, second, low)
                rows[one + apart] = shuffled(builder, first, second, high)
        for column, lanes in enumerate(rows):
            place = builder.add(at, ir.Constant(ir.IntType(64), column * WIDTH))
            pointer = pointer_to(context, builder, panel_type, into, place)
            builder.store(lanes, builder.bitcast(pointer, VECTOR.as_pointer()), align=4)
        return context.get_dummy_value()

    described = types.void(panel, types.int64, vectors, starts, types.int64)
    fits = is_floats(panel) and is_floats(vectors) and is_array(starts, types.int64)
    return (described, generate) if fits else None


def _halved(builder: Any, first: Any, second: Any, apart: int) -> Any:
    """Within each four of two vectors, sums of numbers ``apart`` (2 or 1) from each other, first's before second's."""
    within = (0, 1) if apart == 2 else (0, 2)
    low = [start + four + place for four in range(0, WIDTH, 4) for start in (0, WIDTH) for place in within]
    high = [place + apart for place in low]
    return builder.fadd(shuffled(builder, first, second, low), shuffled(builder, first, second, high))


def _totals_of_eight(builder: Any, vectors: Sequence[Any]) -> Any:
    """The totals of eight `Lanes`, as eight numbers in a row.

    Three rounds add two vectors into one that holds half as many partial sums of each; all but the last of
    them stay inside 128 bits, where shuffles cost one cycle.
    """
    quarters = range(0, WIDTH, 4)
    rounds: tuple[Sequence[Sequence[int]], ...] = (
        [(q + k, WIDTH + q + k) for q in quarters for k in (0, 1)],
        [(q, q + 1, WIDTH + q, WIDTH + q + 1) for q in quarters],
        [(*range(8), *range(WIDTH, WIDTH + 8))],
    )
    shifts = (2, 2, 8)
    for groups, shift in zip(rounds, shifts, strict=True):
        low = [place for group in groups for place in group]
        high = [place + shift for place in low]
        vectors = [
            builder.fadd(shuffled(builder, a, b, low), shuffled(builder, a, b, high))
            for a, b in zip(vectors[::2], vectors[1::2], strict=True)
        ]
    last = vectors[0]
    return builder.fadd(
        shuffled(builder, last, last, [*range(4), *range(8, 12)]),
        shuffled(builder, last, last, [*range(4, 8), *range(12, 16)]),
    )


zero: Callable[[], Lanes] = _zero
"""Sixteen zeros."""

spread: Callable[[np.float32], Lanes] = _spread
"""One number sixteen times."""

spread_from: Callable[[Floats, int], Lanes] = _spread_from
"""The number at an offset of an array, sixteen times."""

load: Callable[[Floats, int], Lanes] = _load
"""The sixteen numbers from an offset of an array on."""

store: Callable[[Floats, int, Lanes], None] = _store
"""Write sixteen numbers to an array from an offset on."""

reaching: Callable[[Floats, int, np.float32], int] = _reaching
"""A bit for each of the sixteen numbers from an offset of an array on, the first one's the lowest: whether it is no
less than a number."""

add: Callable[[Lanes, Lanes], Lanes] = _add
"""a + b"""

multiply: Callable[[Lanes, Lanes], Lanes] = _multiply
"""a b"""

multiply_add: Callable[[Lanes, Lanes, Lanes], Lanes] = _multiply_add
"""a b + c, rounded once"""

divide: Callable[[Lanes, Lanes], Lanes] = _divide
"""a / b"""

exponential: Callable[[Lanes], Lanes] = _exponential
"""eᵃ to 2e-7 of its size; beyond ± EXPONENTS, of that number."""

total: Callable[[Lanes], np.float32] = _total
"""The sum of the sixteen numbers, always in the same order."""

store_totals: Callable[[Floats, int, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes, Lanes], None] = _store_totals
"""Write the sums of eight `Lanes` to an array from an offset on: half the work of eight `total`."""

totals_of_four: Callable[[Lanes, Lanes, Lanes, Lanes], Lanes] = _totals_of_four
"""The sums of four `Lanes`, four times over."""

load_four: Callable[[Floats, int], Lanes] = _load_four
"""The four numbers from an offset of an array on, four times over."""

store_four: Callable[[Floats, int, Lanes], None] = _store_four
"""Write the first four numbers to an array from an offset on."""

spread_first: Callable[[Lanes], Lanes] = _spread_of_four(0)
"""The first of four numbers that stand four times over, sixteen times."""

spread_second: Callable[[Lanes], Lanes] = _spread_of_four(1)
"""The second of them."""

spread_third: Callable[[Lanes], Lanes] = _spread_of_four(2)
"""The third of them."""

spread_fourth: Callable[[Lanes], Lanes] = _spread_of_four(3)
"""The fourth of them."""

store_turned: Callable[[Floats, int, Floats, npt.NDArray[np.int64], int], None] = _store_turned
"""Write sixteen numbers of each of sixteen rows to a panel from an offset on, a row to a lane: first all first numbers.

The rows are those of an array, from its offsets ``starts`` (16,) plus another on.
"""

prefetch: Callable[[Floats, int], None] = _prefetch
"""Ask for the cache line at an offset of an array; a wrong offset does no harm."""


@jit
def scratch(size: int) -> Floats:
    """Zeros float32 (size,) that start on a cache line, made inside a kernel."""
    room = np.zeros(size + LINE // 4, dtype=np.float32)
    skipped = (-room.ctypes.data % LINE) // 4
    return room[skipped : skipped + size]
