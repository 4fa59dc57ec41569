"""Sixteen steps of a Cholesky factorization in registers: A = UᵀU, sixteen rows at a time.

    d = wₖₖ,    wₘ ← wₘ - (wₖₘ / d) wₖ  for every row m below k,    uₖ = wₖ / √d

A step can only begin once the one before has left its pivot d. What it waits for is one reciprocal, a product and a
sum: the rows stay in registers while they lie in one block of sixteen columns, and the roots are taken for all of them
at the end. The right-hand side is one more row that is below all others. Both functions are emitted as straight code,
which no loop over tuples of registers would become.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from crossfade.kernels.lanes import (
    VECTOR,
    WIDTH,
    Floats,
    described_by,
    fused,
    is_floats,
    pointer_to,
    repeated,
    shuffled,
)

PANEL_FLOATS = WIDTH * (WIDTH + 2)
"""Numbers that `factor_corner` leaves for `eliminate_beside`."""

_ROWS = range(WIDTH)
_FLOAT = ir.FloatType()


def _at(builder: Any, start: Any, offset: Any) -> Any:
    moved = ir.Constant(ir.IntType(64), offset) if isinstance(offset, int) else offset
    return builder.gep(start, [moved])


def _read(builder: Any, pointer: Any) -> Any:
    return builder.load(builder.bitcast(pointer, VECTOR.as_pointer()), align=4, typ=VECTOR)


def _write(builder: Any, value: Any, pointer: Any) -> None:
    builder.store(value, builder.bitcast(pointer, VECTOR.as_pointer()), align=4)


def _rows_of(builder: Any, start: Any, width: Any) -> list[Any]:
    return [_at(builder, start, builder.mul(width, ir.Constant(ir.IntType(64), row))) for row in _ROWS]


def _replaced(builder: Any, vector: Any, other: Any, place: int) -> Any:
    """``vector`` with the number of ``other`` at ``place``."""
    return shuffled(builder, vector, other, [row + WIDTH * (row == place) for row in _ROWS])


@described_by
def _factor_corner(
    typing: Any, matrix: Any, at: Any, width: Any, least: Any, right: Any, top: Any, panel: Any, answer: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        rows_at = _rows_of(builder, pointer_to(context, builder, kinds[0], args[0], args[1]), args[2])
        bounds = _read(builder, pointer_to(context, builder, kinds[3], args[3], args[5]))
        rest = _read(builder, pointer_to(context, builder, kinds[4], args[4], args[5]))
        panel_at = pointer_to(context, builder, kinds[6], args[6], ir.Constant(ir.IntType(64), 0))
        answer_at = pointer_to(context, builder, kinds[7], args[7], args[5])
        nothing, ones = ir.Constant(VECTOR, [0.0] * WIDTH), ir.Constant(VECTOR, [1.0] * WIDTH)
        rows = [_read(builder, pointer) for pointer in rows_at]
        pivots = sums = nothing
        for row in _ROWS:
            place = ir.Constant(ir.IntType(32), row)
            pivot = builder.extract_element(rows[row], place)
            kept = builder.fcmp_ordered(">", pivot, builder.extract_element(bounds, place))
            inverse = builder.fdiv(ir.Constant(_FLOAT, -1.0), pivot)
            # Where rounding has consumed the pivot, the rest of its row is rounding too, and would grow.
            inverse = builder.select(kept, inverse, ir.Constant(_FLOAT, 0.0))
            multiple = builder.fmul(rows[row], repeated(builder, inverse))
            _write(builder, multiple, _at(builder, panel_at, row * WIDTH))
            pivots, sums = _replaced(builder, pivots, rows[row], row), _replaced(builder, sums, rest, row)
            for below in range(row + 1, WIDTH):
                factor = shuffled(builder, rows[row], rows[row], [below] * WIDTH)
                rows[below] = fused(builder, factor, multiple, rows[below])
            rest = fused(builder, shuffled(builder, rest, rest, [row] * WIDTH), multiple, rest)
        kept = builder.fcmp_ordered(">", pivots, bounds)
        root = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(VECTOR, [VECTOR]), f"llvm.sqrt.v{WIDTH}f32"
        )
        scales = builder.fdiv(ones, builder.call(root, [builder.select(kept, pivots, bounds)]))
        beside = builder.select(kept, scales, nothing)
        solved = builder.fmul(sums, scales)
        _write(builder, solved, answer_at)
        _write(builder, builder.fneg(builder.fmul(solved, beside)), _at(builder, panel_at, WIDTH * WIDTH))
        _write(builder, beside, _at(builder, panel_at, WIDTH * (WIDTH + 1)))
        for row in _ROWS:
            scaled = builder.fmul(rows[row], shuffled(builder, beside, beside, [row] * WIDTH))
            _write(builder, _replaced(builder, scaled, scales, row), rows_at[row])
        return context.get_dummy_value()

    floats = all(is_floats(each) for each in (matrix, least, right, panel, answer))
    signature = types.void(matrix, types.int64, types.int64, least, right, types.int64, panel, answer)
    return (signature, generate) if floats else None


@described_by
def _eliminate_beside(typing: Any, matrix: Any, at: Any, width: Any, panel: Any, right: Any, left: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        rows_at = _rows_of(builder, pointer_to(context, builder, kinds[0], args[0], args[1]), args[2])
        panel_at = pointer_to(context, builder, kinds[3], args[3], ir.Constant(ir.IntType(64), 0))
        right_at = pointer_to(context, builder, kinds[4], args[4], args[5])

        def of_panel(row: int, place: int) -> Any:
            return repeated(builder, builder.load(_at(builder, panel_at, row * WIDTH + place)))

        rows, rest = [_read(builder, pointer) for pointer in rows_at], _read(builder, right_at)
        for row in _ROWS:
            for below in range(row + 1, WIDTH):
                rows[below] = fused(builder, of_panel(row, below), rows[row], rows[below])
            rest = fused(builder, of_panel(WIDTH, row), rows[row], rest)
            _write(builder, builder.fmul(rows[row], of_panel(WIDTH + 1, row)), rows_at[row])
        _write(builder, rest, right_at)
        return context.get_dummy_value()

    floats = all(is_floats(each) for each in (matrix, panel, right))
    signature = types.void(matrix, types.int64, types.int64, panel, right, types.int64)
    return (signature, generate) if floats else None


@described_by
def _solve_corner(typing: Any, matrix: Any, at: Any, width: Any, known: Any, answer: Any, x: Any, top: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kinds = signature.args
        rows_at = _rows_of(builder, pointer_to(context, builder, kinds[0], args[0], args[1]), args[2])
        known_at = pointer_to(context, builder, kinds[3], args[3], ir.Constant(ir.IntType(64), 0))
        answer_at, x_at = (pointer_to(context, builder, kinds[place], args[place], args[6]) for place in (4, 5))
        fused_one = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_FLOAT, [_FLOAT] * 3), "llvm.fma.f32"
        )
        rests = [
            builder.fsub(builder.load(_at(builder, answer_at, row)), builder.load(_at(builder, known_at, row)))
            for row in _ROWS
        ]
        solution = ir.Constant(VECTOR, [0.0] * WIDTH)
        for row in reversed(_ROWS):
            found = builder.fmul(rests[row], builder.load(_at(builder, rows_at[row], row)))
            solution = builder.insert_element(solution, found, ir.Constant(ir.IntType(32), row))
            back = builder.fneg(found)
            for above in range(row):
                beside = builder.load(_at(builder, rows_at[above], row))
                rests[above] = builder.call(fused_one, [beside, back, rests[above]])
        # Written at once: numbers that are written one by one cannot soon be read as sixteen.
        _write(builder, solution, x_at)
        return context.get_dummy_value()

    floats = all(is_floats(each) for each in (matrix, known, answer, x))
    signature = types.void(matrix, types.int64, types.int64, known, answer, x, types.int64)
    return (signature, generate) if floats else None


factor_corner: Callable[[Floats, int, int, Floats, Floats, int, Floats, Floats], None] = _factor_corner
"""(matrix, at, width, least, right, top, panel, answer): the sixteen rows of the block on the diagonal from ``at`` on,
which are ``width`` apart, become those of U, with reciprocals on the diagonal. ``least``, ``right`` and ``answer`` are
read and written from ``top`` on: pivots are bounded from below, and ``answer`` is z of Uᵀz = ``right``. ``panel``
(PANEL_FLOATS,) takes what the rows beyond the block have to be multiplied by."""

eliminate_beside: Callable[[Floats, int, int, Floats, Floats, int], None] = _eliminate_beside
"""(matrix, at, width, panel, right, left): the same steps for sixteen columns from ``left`` on, which lie in ``matrix``
from ``at`` on, and for ``right`` there."""

solve_corner: Callable[[Floats, int, int, Floats, Floats, Floats, int], None] = _solve_corner
"""(matrix, at, width, known, answer, x, top): the sixteen numbers of ``x`` from ``top`` on, where U x = ``answer``. The
block of U from ``at`` on is as `factor_corner` left it; ``known`` (sixteen) is what the numbers of ``x`` behind it add
up to in its rows."""
