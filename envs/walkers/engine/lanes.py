"""Arithmetic on the float32 numbers of 16 worlds at once, or of one, with the same source.

A solver layout has one column per world. `load` takes a row of it, which is a float32 if there is one column
and a SIMD vector if there are `LANES`; the usual operators, and the functions below, work on either. Instead
of branching, both alternatives are computed and one is selected, since worlds side by side may differ.

LLVM's own vectoriser is not used: it gives up if it cannot prove that rows do not overlap. Every operation
rounds like its scalar counterpart, so results do not depend on how many worlds are solved together.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from .kernel import Lane, kernel
from .layout import LANES
from .settings import ZERO

_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
_INTS = ir.VectorType(ir.IntType(32), LANES)
_BOOLS = ir.VectorType(ir.IntType(1), LANES)


class _Lanes(types.Type):  # type: ignore[misc]  # numba is untyped
    """A vector of float32."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes{LANES}")


class _Flags(types.Type):  # type: ignore[misc]  # numba is untyped
    """A vector of bools."""

    def __init__(self) -> None:
        super().__init__(name=f"Flags{LANES}")


_lanes, _flags = _Lanes(), _Flags()


@register_model(_Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc]  # numba is untyped
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOATS)


@register_model(_Flags)
class _FlagsModel(models.PrimitiveModel):  # type: ignore[misc]  # numba is untyped
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _BOOLS)


def _intrinsic(function: Callable[..., Any]) -> Any:
    """Make the generated operation callable from compiled code."""
    return intrinsic(function)


def _splat(builder: Any, value: Any, kind: Any) -> Any:
    """The same number in every lane, if it is not a vector already."""
    if isinstance(value.type, ir.VectorType):
        return value
    vector = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(vector, vector, ir.Constant(_INTS, [0] * LANES))


def _call_llvm(builder: Any, name: str, *arguments: Any) -> Any:
    """Call one of LLVM's overloaded intrinsics, on numbers or vectors."""
    kind = arguments[0].type
    if isinstance(kind, ir.VectorType):
        suffix = f"v{LANES}f{32 if kind == _FLOATS else 64}"
    else:
        suffix = f"f{32 if kind == ir.FloatType() else 64}"
    prototype = ir.FunctionType(kind, [kind] * len(arguments))
    function = cgutils.get_or_insert_function(builder.module, prototype, f"{name}.{suffix}")
    return builder.call(function, arguments)


def _is_lane(kind: Any) -> bool:
    return isinstance(kind, _Lanes) or kind == types.float32


def _define_operator(op: Any, result: Any, emit: Callable[[Any, Any, Any], Any]) -> None:
    """Make an operator between lanes, or lanes and a number, usable in compiled code."""

    @infer_global(op)
    class _Template(AbstractTemplate):  # type: ignore[misc]  # numba is untyped
        def generic(self, arguments: Any, keywords: Any) -> Any:
            left, right = arguments
            if (isinstance(left, _Lanes) and _is_lane(right)) or (_is_lane(left) and right == _lanes):
                return signature(result, left, right)
            return None

    def lower(context: Any, builder: Any, typed: Any, arguments: Any) -> Any:
        return emit(builder, *(_splat(builder, value, _FLOATS) for value in arguments))

    for left, right in ((_Lanes, _Lanes), (_Lanes, types.Float), (types.Float, _Lanes)):
        lower_builtin(op, left, right)(lower)


def _define_flag_operator(op: Any, emit: Callable[[Any, Any, Any], Any]) -> None:
    """Make an operator between flags usable in compiled code."""

    @infer_global(op)
    class _Template(AbstractTemplate):  # type: ignore[misc]  # numba is untyped
        def generic(self, arguments: Any, keywords: Any) -> Any:
            return signature(_flags, _flags, _flags) if tuple(arguments) == (_flags, _flags) else None

    lower_builtin(op, _Flags, _Flags)(lambda context, builder, typed, arguments: emit(builder, *arguments))


def _comparison(symbol: str) -> Callable[[Any, Any, Any], Any]:
    return lambda builder, left, right: builder.fcmp_ordered(symbol, left, right)


_define_operator(operator.add, _lanes, lambda builder, left, right: builder.fadd(left, right))
_define_operator(operator.sub, _lanes, lambda builder, left, right: builder.fsub(left, right))
_define_operator(operator.mul, _lanes, lambda builder, left, right: builder.fmul(left, right))
_define_operator(operator.truediv, _lanes, lambda builder, left, right: builder.fdiv(left, right))
_define_operator(operator.lt, _flags, _comparison("<"))
_define_operator(operator.le, _flags, _comparison("<="))
_define_operator(operator.gt, _flags, _comparison(">"))
_define_operator(operator.ge, _flags, _comparison(">="))
_define_operator(operator.eq, _flags, _comparison("=="))
_define_operator(operator.ne, _flags, _comparison("!="))
_define_flag_operator(operator.and_, lambda builder, left, right: builder.and_(left, right))
_define_flag_operator(operator.or_, lambda builder, left, right: builder.or_(left, right))


@infer_global(operator.neg)
class _NegTemplate(AbstractTemplate):  # type: ignore[misc]  # numba is untyped
    def generic(self, arguments: Any, keywords: Any) -> Any:
        return signature(_lanes, _lanes) if tuple(arguments) == (_lanes,) else None


@lower_builtin(operator.neg, _Lanes)  # type: ignore[untyped-decorator]  # numba is untyped
def _lower_neg(context: Any, builder: Any, typed: Any, arguments: Any) -> Any:
    return builder.fneg(arguments[0])


def _row(context: Any, builder: Any, kind: Any, rows: Any, row: Any) -> Any:
    """A pointer to a row, which is a number or a vector."""
    array = context.make_array(kind)(context, builder, rows)
    width = kind.shape[1]
    pointer = builder.gep(array.data, [builder.mul(row, ir.Constant(row.type, width))])
    return pointer if width == 1 else builder.bitcast(pointer, _FLOATS.as_pointer())


@_intrinsic
def load(typing_context: Any, rows: Any, row: Any) -> Any:
    """`load(rows, row)`: one row of a solver layout."""

    def generate(context: Any, builder: Any, typed: Any, arguments: Any) -> Any:
        return builder.load(_row(context, builder, typed.args[0], *arguments), align=4)

    return (types.float32 if rows.shape[1] == 1 else _lanes)(rows, types.intp), generate


@_intrinsic
def store(typing_context: Any, rows: Any, row: Any, value: Any) -> Any:
    """`store(rows, row, value)`: overwrite one row of a solver layout."""

    def generate(context: Any, builder: Any, typed: Any, arguments: Any) -> Any:
        value = arguments[2]
        if typed.args[0].shape[1] > 1:
            value = _splat(builder, value, _FLOATS)
        builder.store(value, _row(context, builder, typed.args[0], *arguments[:2]), align=4)
        return context.get_dummy_value()

    return types.void(rows, types.intp, value), generate


@_intrinsic
def select(typing_context: Any, condition: Any, yes: Any, no: Any) -> Any:
    """`select(condition, yes, no)`: `yes` where the condition holds, `no` elsewhere."""
    is_vector = isinstance(condition, _Flags)

    def generate(context: Any, builder: Any, typed: Any, arguments: Any) -> Any:
        first, second = arguments[1:]
        if is_vector:
            first, second = _splat(builder, first, _FLOATS), _splat(builder, second, _FLOATS)
        return builder.select(arguments[0], first, second)

    result = _lanes if is_vector else types.float32
    return result(condition if is_vector else types.boolean, yes, no), generate


@_intrinsic
def any_lane(typing_context: Any, condition: Any) -> Any:
    """`any_lane(condition)`: whether the condition holds for any world."""

    def generate(context: Any, builder: Any, typed: Any, arguments: Any) -> Any:
        if not isinstance(typed.args[0], _Flags):
            return arguments[0]
        bits = builder.bitcast(arguments[0], ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(condition), generate


@_intrinsic
def sqrt(typing_context: Any, value: Any) -> Any:
    """`sqrt(value)`: the square root, correctly rounded."""

    def generate(context: Any, builder: Any, typed: Any, arguments: Any) -> Any:
        return _call_llvm(builder, "llvm.sqrt", arguments[0])

    return value(value), generate


@kernel
def minimum(a: Lane, b: Lane) -> Lane:
    """b2Min."""
    return select(a < b, a, b)


@kernel
def maximum(a: Lane, b: Lane) -> Lane:
    """b2Max."""
    return select(a > b, a, b)


@kernel
def clamp(a: Lane, low: Lane, high: Lane) -> Lane:
    """b2Clamp."""
    return maximum(low, minimum(a, high))


@kernel
def absolute(a: Lane) -> Lane:
    """b2Abs."""
    return select(a > ZERO, a, -a)


# The float32 sine and cosine of the GNU C library, to the last bit, for angles below 120 rad: argument
# reduction by a multiple of pi/2 and a polynomial, both in float64. Constants are glibc's (sincosf.h), as is
# the use of fused multiply-add, which glibc prefers on every processor that has it.
_TWO_OVER_PI = float.fromhex("0x1.45F306DC9C883p+23")  # times 2**24, to round in integers
_HALF_PI = float.fromhex("0x1.921FB54442D18p0")
_COSINE = [
    1.0,
    float.fromhex("-0x1.ffffffd0c621cp-2"),
    float.fromhex("0x1.55553e1068f19p-5"),
    float.fromhex("-0x1.6c087e89a359dp-10"),
    float.fromhex("0x1.99343027bf8c3p-16"),
]
_SINE = [
    float.fromhex("-0x1.555545995a603p-3"),
    float.fromhex("0x1.1107605230bc4p-7"),
    float.fromhex("-0x1.994eb3774cf24p-13"),
]


@_intrinsic
def rotation(typing_context: Any, angle: Any) -> Any:
    """`rotation(angle)`: sine and cosine of an angle below 120 rad, as by the C library's sinf and cosf."""
    is_vector = isinstance(angle, _Lanes)
    kind = _lanes if is_vector else types.float32

    def generate(context: Any, builder: Any, typed: Any, arguments: Any) -> Any:
        floats, doubles, ints = (
            (_FLOATS, _DOUBLES, _INTS) if is_vector else (ir.FloatType(), ir.DoubleType(), ir.IntType(32))
        )

        def constant(value: float, of: Any = doubles) -> Any:
            return ir.Constant(of, [value] * LANES if is_vector else value)

        def fma(a: Any, b: Any, c: Any) -> Any:
            return _call_llvm(builder, "llvm.fma", a, b, c)

        def minus(a: Any) -> Any:
            # LLVM's own instruction for it is too new for the GPU's compiler.
            return builder.fsub(constant(-0.0), a)

        x = builder.fpext(arguments[0], doubles)
        scaled = builder.fptosi(builder.fmul(x, constant(_TWO_OVER_PI)), ints)
        n = builder.ashr(builder.add(scaled, constant(0x800000, ints)), constant(24, ints))
        r = fma(minus(builder.sitofp(n, doubles)), constant(_HALF_PI), x)
        r2 = builder.fmul(r, r)
        r3 = builder.fmul(r, r2)
        r4 = builder.fmul(r2, r2)
        sine = fma(
            builder.fmul(r3, r2),
            fma(r2, constant(_SINE[2]), constant(_SINE[1])),
            fma(r3, constant(_SINE[0]), r),
        )
        cosine = fma(
            builder.fmul(r4, r2),
            fma(r2, constant(_COSINE[4]), constant(_COSINE[3])),
            fma(r4, constant(_COSINE[2]), fma(r2, constant(_COSINE[1]), constant(_COSINE[0]))),
        )
        odd = builder.icmp_signed("!=", builder.and_(n, constant(1, ints)), constant(0, ints))
        low = builder.icmp_signed("!=", builder.and_(n, constant(2, ints)), constant(0, ints))
        s, c = builder.select(odd, cosine, sine), builder.select(odd, sine, cosine)
        s = builder.select(low, minus(s), s)
        c = builder.select(builder.xor(odd, low), minus(c), c)
        rotation = [builder.fptrunc(s, floats), builder.fptrunc(c, floats)]
        return context.make_tuple(builder, typed.return_type, rotation)

    return types.UniTuple(kind, 2)(angle), generate
