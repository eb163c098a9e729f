"""Vector instructions that numba has no words for, as LLVM code.

Pointers are plain integers, so that one function serves slices of any array; who calls these answers for the bounds.
Each is a few instructions on a machine with AVX2, and correct on any other, as LLVM splits vectors as it must. Where
the processor has AVX-512, vectors of sixteen floats or more are held in 512 bits: LLVM's ``prefer-256-bit`` is for the
loops that it vectorizes by itself, on Intel's.
"""

from typing import Any

from llvmlite import ir
from numba import extending
from numba.core import cgutils, types

from .activations import BYTE

# Outputs that are accumulated in registers at once: 64 fill eight of the sixteen that AVX2 has.
WIDTHS = (64, 32, 16, 8)
# Of depth-wise filters: neighbouring pixels, and channels, whose sums fill as many.
PIXELS, LANES = 4, 16
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


def _multiply(builder: ir.IRBuilder, width: int, arguments: tuple[ir.Value, ...]) -> None:
    total, further, rows, values, pitch, count = arguments
    vector = ir.VectorType(_FLOAT, width)
    fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), f"llvm.fma.v{width}f32")
    places = [builder.add(total, builder.mul(further, further.type(e))) for e in range(WIDTHS[0] // width)]
    sums = [cgutils.alloca_once_value(builder, _load(builder, place, vector)) for place in places]
    with cgutils.for_range(builder, count) as loop:
        row = _load(builder, builder.add(rows, builder.mul(loop.index, rows.type(4 * width))), vector)
        place = builder.add(values, builder.shl(loop.index, loop.index.type(2)))
        for e, sum_ in enumerate(sums):
            number = _load(builder, builder.add(place, builder.mul(pitch, pitch.type(e))), _FLOAT)
            builder.store(builder.call(fma, [row, _splat(builder, number, width), builder.load(sum_)]), sum_)
    for place, sum_ in zip(places, sums, strict=True):
        _store(builder, builder.load(sum_), place)


@_intrinsic
def multiply_rows(_context, width, total, further, rows, values, pitch, count):  # type: ignore[no-untyped-def]
    """Add to each of some entries ``count`` rows, each times a number of the entry's own, rounding once per row.

    The entries are as many as fill the registers with ``width`` sums each, one of :data:`WIDTHS`: ``WIDTHS[0] /
    width``. Their sums lie ``further`` bytes apart from ``total`` on, their numbers ``pitch`` bytes from ``values`` on.
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        width, *rest = arguments
        for known in WIDTHS:
            with builder.if_then(builder.icmp_signed("==", width, width.type(known))):
                _multiply(builder, known, tuple(rest))
        return context.get_dummy_value()

    return types.void(*(types.intp,) * 7), generate


@_intrinsic
def filter_pixels(_context, out, source, weights, norm, kernel, line, step):  # type: ignore[no-untyped-def]
    """Filter :data:`PIXELS` neighbours with one filter per channel, :data:`LANES` channels at once.

    Of each, the taps are added up in turn from zero, every product in one rounding; the sum times the factor plus the
    summand, in one rounding, too, is stored at ``out``, channels innermost. Factors lie at ``norm``, summands behind
    them, the filters at ``weights``, tap by tap. The first pixel's window begins at ``source``, the next one's ``step``
    bytes further; its lines are ``line`` bytes apart.
    """

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        out, source, weights, norm, kernel, line, step = arguments
        vector, size = ir.VectorType(_FLOAT, LANES), out.type(4 * LANES)
        kind = ir.FunctionType(vector, [vector] * 3)
        fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
        zeros = ir.Constant(vector, [0.0] * LANES)
        sums = [cgutils.alloca_once_value(builder, zeros) for _ in range(PIXELS)]
        with cgutils.for_range(builder, kernel) as rows, cgutils.for_range(builder, kernel) as columns:
            tap = builder.add(builder.mul(rows.index, kernel), columns.index)
            weight = _load(builder, builder.add(weights, builder.mul(tap, size)), vector)
            first = builder.add(builder.mul(rows.index, line), builder.mul(columns.index, size))
            for pixel, sum_ in enumerate(sums):
                place = builder.add(builder.add(source, first), builder.mul(step, step.type(pixel)))
                read = _load(builder, place, vector)
                builder.store(builder.call(fma, [read, weight, builder.load(sum_)]), sum_)
        factor, summand = _load(builder, norm, vector), _load(builder, builder.add(norm, size), vector)
        for pixel, sum_ in enumerate(sums):
            normed = builder.call(fma, [builder.load(sum_), factor, summand])
            _store(builder, normed, builder.add(out, builder.mul(size, size.type(pixel))))
        return context.get_dummy_value()

    return types.void(*(types.intp,) * 7), generate


@_intrinsic
def spread_bits(_context, destination, bits):  # type: ignore[no-untyped-def]
    """Store the eight bits of a byte as eight float32, 0 or 1, at ``destination``."""

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        destination, bits = arguments
        flags = builder.bitcast(bits, ir.VectorType(ir.IntType(1), BYTE))
        _store(builder, builder.uitofp(flags, ir.VectorType(_FLOAT, BYTE)), destination)
        return context.get_dummy_value()

    return types.void(types.intp, types.uint8), generate


@_intrinsic
def clear_floats(_context, destination, count):  # type: ignore[no-untyped-def]
    """Make ``count`` float32 at ``destination`` zero."""

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        destination, count = arguments
        with cgutils.for_range(builder, count) as loop:
            place = builder.add(destination, builder.shl(loop.index, loop.index.type(2)))
            _store(builder, ir.Constant(_FLOAT, 0.0), place)
        return context.get_dummy_value()

    return types.void(*(types.intp,) * 2), generate


@_intrinsic
def copy_floats(_context, destination, source, count):  # type: ignore[no-untyped-def]
    """Copy ``count`` float32 from ``source`` to ``destination``: a few, often just :data:`LANES`."""

    def generate(context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        destination, source, count = arguments
        with builder.if_else(builder.icmp_signed("==", count, count.type(LANES))) as (all_, few):
            with all_:
                _store(builder, _load(builder, source, ir.VectorType(_FLOAT, LANES)), destination)
            with few, cgutils.for_range(builder, count) as loop:
                place = builder.shl(loop.index, loop.index.type(2))
                _store(builder, _load(builder, builder.add(source, place), _FLOAT), builder.add(destination, place))
        return context.get_dummy_value()

    return types.void(*(types.intp,) * 3), generate


@_intrinsic
def fma(_context, a, b, c):  # type: ignore[no-untyped-def]
    """``a * b + c`` in float32, rounded once."""

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(_FLOAT, [_FLOAT] * 3)
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.fma.f32"), arguments)

    return types.float32(types.float32, types.float32, types.float32), generate


@_intrinsic
def integrate(_context, potential, current, tau, inverse, threshold):  # type: ignore[no-untyped-def]
    """One time step of eight neurons: their potentials at ``potential`` change, their spikes are the result's bits.

    ``inverse`` is that of ``tau`` if it is a power of two, else 0: a product rounds to what the quotient does, faster.
    The arithmetic is that of :func:`~primesvt.models.layers.fused_neuron.charged`, which answers for one neuron at a
    time: numba has no words for eight comparisons as the bits of one byte.
    """

    def generate(_context: Any, builder: ir.IRBuilder, _signature: Any, arguments: Any) -> Any:
        address, current, tau, inverse, threshold = arguments
        vector = ir.VectorType(_FLOAT, BYTE)
        v = _load(builder, address, vector)
        over = builder.fsub(_load(builder, current, vector), v)
        step = cgutils.alloca_once(builder, vector)
        with builder.if_else(builder.fcmp_ordered("!=", inverse, _FLOAT(0.0))) as (exact, other):
            with exact:
                builder.store(builder.fmul(over, _splat(builder, inverse, BYTE)), step)
            with other:
                builder.store(builder.fdiv(over, _splat(builder, tau, BYTE)), step)
        h = builder.fadd(v, builder.load(step))
        zeros = ir.Constant(vector, [0.0] * BYTE)
        fired = builder.fcmp_ordered(">=", builder.fsub(h, _splat(builder, threshold, BYTE)), zeros)
        _store(builder, builder.select(fired, zeros, h), address)
        return builder.bitcast(fired, ir.IntType(BYTE))

    return types.uint8(types.intp, types.intp, *(types.float32,) * 3), generate


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
