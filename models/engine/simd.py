"""Vector instructions that numba has no words for, as LLVM code.

Pointers are plain integers, so that one function serves slices of any array; who calls these answers for the bounds.
Each is a few instructions on a machine with AVX2, and correct on any other, as LLVM splits vectors as it must.
"""

from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types

from .activations import BYTE

# Outputs that are accumulated in registers at once: 64 fill eight of the sixteen that AVX2 has.
WIDTHS = (64, 32, 16, 8)
# Whoever calls one does not pass the context, which numba adds; its annotations do not say so.
_intrinsic: Any = extending.intrinsic
_FLOAT, _INT32 = ir.FloatType(), ir.IntType(32)


def _load(builder: ir.IRBuilder, address: ir.Value, kind: ir.Type) -> ir.Value:
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = 4  # numpy promises no more to a slice
    return value


def _store(builder: ir.IRBuilder, value: ir.Value, address: ir.Value) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 4


def _splat(builder: ir.IRBuilder, value: ir.Value, width: int) -> ir.Value:
    one = builder.insert_element(ir.Constant(ir.VectorType(value.type, width), ir.Undefined), value, _INT32(0))
    zeros = ir.Constant(ir.VectorType(_INT32, width), [0] * width)
    return builder.shuffle_vector(one, ir.Constant(one.type, ir.Undefined), zeros)


def _sum_rows(builder: ir.IRBuilder, width: int, weighted: bool, arguments: tuple[ir.Value, ...]) -> None:
    total, rows, indices, values, count = arguments
    vector = ir.VectorType(_FLOAT, width)
    fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{width}f32")
    # LLVM keeps it in registers: nobody takes its address.
    sum_ = cgutils.alloca_once_value(builder, _load(builder, total, vector))
    with cgutils.for_range(builder, count) as loop:
        place = builder.shl(loop.index, loop.index.type(2))
        number = builder.zext(_load(builder, builder.add(indices, place), _INT32), rows.type)
        row = _load(builder, builder.add(rows, builder.mul(number, rows.type(4 * width))), vector)
        before = builder.load(sum_)
        if weighted:
            value = _splat(builder, _load(builder, builder.add(values, place), _FLOAT), width)
            builder.store(builder.call(fma, [row, value, before]), sum_)
        else:
            builder.store(builder.fadd(before, row), sum_)
    _store(builder, builder.load(sum_), total)


@_intrinsic
def add_rows(_context, width, weighted, total, rows, indices, values, count):  # type: ignore[no-untyped-def]
    """Add ``rows[indices[i]]``, one after the other for i < count, to the ``width`` floats at ``total``.

    ``weighted`` multiplies row i by ``values[i]``, rounding once. ``width`` is one of :data:`WIDTHS`, and the length of
    a row.
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        width, weighted, *rest = arguments
        for known in WIDTHS:
            with builder.if_then(builder.icmp_signed("==", width, width.type(known))):
                for flag in (True, False):
                    with builder.if_then(builder.icmp_signed("==", weighted, weighted.type(flag))):
                        _sum_rows(builder, known, flag, tuple(rest))
        return context.get_dummy_value()

    return types.void(types.intp, types.boolean, *(types.intp,) * 5), generate


@_intrinsic
def fma(_context, a, b, c):  # type: ignore[no-untyped-def]
    """``a * b + c`` in float32, rounded once."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_FLOAT, [_FLOAT] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.f32"), arguments)

    return types.float32(types.float32, types.float32, types.float32), generate


@_intrinsic
def integrate(_context, potential, current, tau, threshold):  # type: ignore[no-untyped-def]
    """One time step of eight neurons: their potentials at ``potential`` change, their spikes are the result's bits.

    The arithmetic is that of :func:`~primesvt.models.layers.fused_neuron.charged`, which answers for one neuron at a
    time: numba has no words for eight comparisons as the bits of one byte.
    """

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        address, current, tau, threshold = arguments
        vector = ir.VectorType(_FLOAT, BYTE)
        v = _load(builder, address, vector)
        step = builder.fdiv(builder.fsub(_load(builder, current, vector), v), _splat(builder, tau, BYTE))
        h = builder.fadd(v, step)
        zeros = ir.Constant(vector, [0.0] * BYTE)
        fired = builder.fcmp_ordered(">=", builder.fsub(h, _splat(builder, threshold, BYTE)), zeros)
        _store(builder, builder.select(fired, zeros, h), address)
        return builder.bitcast(fired, ir.IntType(BYTE))

    return types.uint8(types.intp, types.intp, types.float32, types.float32), generate


@_intrinsic
def list_bits(_context, destination, positions, first):  # type: ignore[no-untyped-def]
    """Store eight int32 at ``destination``: the eight at ``positions`` plus ``first``."""

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        destination, positions, first = arguments
        vector = ir.VectorType(_INT32, BYTE)
        numbers = builder.add(_load(builder, positions, vector), _splat(builder, first, BYTE))
        _store(builder, numbers, destination)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.int32), generate


@_intrinsic
def ones(_context, bits):  # type: ignore[no-untyped-def]
    """How many bits of a byte are set, a byte; in a loop over many, LLVM counts those of a whole vector at once."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint8(types.uint8), generate
