"""Arithmetic on the float32 numbers of 16 worlds at once, or of one: the same source serves both.

A solver layout has one column per world. `load` takes a row of it, which is a float32 if there is one column
and a SIMD vector if there are `LANES`; the usual operators, and the functions below, work on either. What a
program would branch on is computed both ways and selected, since worlds side by side may differ.

LLVM's own vectoriser is not relied on: it gives up where it cannot prove that rows do not overlap. Every
operation rounds as its scalar one does, so that worlds move alike however many are solved together.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

from envs.batched.kernel import Flag, Lane, kernel
from envs.batched.layout import LANES
from envs.batched.settings import ZERO

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
    signature = ir.FunctionType(kind, [kind] * len(arguments))
    function = cgutils.get_or_insert_function(builder.module, signature, f"{name}.{suffix}")
    return builder.call(function, arguments)


def _is_lane(kind: Any) -> bool:
    return isinstance(kind, _Lanes) or kind == types.float32


def _overload_operator(op: Any, emit: Callable[[Any, Any, Any], Any], result: Any) -> None:
    @intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
    def apply(typing_context: Any, left: Any, right: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            first, second = (_splat(builder, value, _FLOATS) for value in arguments)
            return emit(builder, first, second)

        return result(left, right), generate

    @overload(op, strict=False)  # type: ignore[untyped-decorator]  # numba is untyped
    def implement(left: Any, right: Any) -> Any:
        if (isinstance(left, _Lanes) and _is_lane(right)) or (_is_lane(left) and isinstance(right, _Lanes)):
            return lambda left, right: apply(left, right)
        return None


def _compare(symbol: str) -> Callable[[Any, Any, Any], Any]:
    return lambda builder, left, right: builder.fcmp_ordered(symbol, left, right)


_overload_operator(operator.add, lambda builder, left, right: builder.fadd(left, right), _lanes)
_overload_operator(operator.sub, lambda builder, left, right: builder.fsub(left, right), _lanes)
_overload_operator(operator.mul, lambda builder, left, right: builder.fmul(left, right), _lanes)
_overload_operator(operator.truediv, lambda builder, left, right: builder.fdiv(left, right), _lanes)
_overload_operator(operator.lt, _compare("<"), _flags)
_overload_operator(operator.le, _compare("<="), _flags)
_overload_operator(operator.gt, _compare(">"), _flags)
_overload_operator(operator.ge, _compare(">="), _flags)
_overload_operator(operator.eq, _compare("=="), _flags)
_overload_operator(operator.ne, _compare("!="), _flags)


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def _negate(typing_context: Any, value: Any) -> Any:
    return _lanes(value), lambda context, builder, signature, arguments: builder.fneg(arguments[0])


@overload(operator.neg, strict=False)  # type: ignore[untyped-decorator]  # numba is untyped
def _overload_neg(value: Any) -> Any:
    return (lambda value: _negate(value)) if isinstance(value, _Lanes) else None


def _overload_flags(op: Any, emit: Callable[[Any, Any, Any], Any]) -> None:
    @intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
    def apply(typing_context: Any, left: Any, right: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return emit(builder, *arguments)

        return _flags(left, right), generate

    @overload(op, strict=False)  # type: ignore[untyped-decorator]  # numba is untyped
    def implement(left: Any, right: Any) -> Any:
        if isinstance(left, _Flags) and isinstance(right, _Flags):
            return lambda left, right: apply(left, right)
        return None


_overload_flags(operator.and_, lambda builder, left, right: builder.and_(left, right))
_overload_flags(operator.or_, lambda builder, left, right: builder.or_(left, right))


def _row_pointer(context: Any, builder: Any, kind: Any, rows: Any, row: Any) -> Any:
    array = context.make_array(kind)(context, builder, rows)
    offset = builder.mul(row, ir.Constant(row.type, kind.shape[1] if hasattr(kind, "shape") else LANES))
    pointer = builder.gep(array.data, [offset])
    return builder.bitcast(pointer, _FLOATS.as_pointer())


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def _load(typing_context: Any, rows: Any, row: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _row_pointer(context, builder, signature.args[0], *arguments)
        return builder.load(pointer, align=4)

    return _lanes(rows, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def _store(typing_context: Any, rows: Any, row: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _row_pointer(context, builder, signature.args[0], *arguments[:2])
        builder.store(_splat(builder, arguments[2], _FLOATS), pointer, align=4)
        return context.get_dummy_value()

    return types.void(rows, types.intp, value), generate


def _python_only(*arguments: Any) -> Any:
    raise NotImplementedError("only compiled functions can use this")


def load(rows: Any, row: int) -> Lane:
    """One row of a solver layout."""
    return _python_only()


@overload(load, strict=False)  # type: ignore[untyped-decorator]  # numba is untyped
def _overload_load(rows: Any, row: Any) -> Any:
    if rows.shape[1] == 1:
        return lambda rows, row: rows[row, 0]
    return lambda rows, row: _load(rows, row)


def store(rows: Any, row: int, value: Lane) -> None:
    """Overwrite one row of a solver layout."""
    _python_only()


@overload(store, strict=False)  # type: ignore[untyped-decorator]  # numba is untyped
def _overload_store(rows: Any, row: Any, value: Any) -> Any:
    if rows.shape[1] == 1:

        def store_one(rows: Any, row: Any, value: Any) -> None:
            rows[row, 0] = value

        return store_one

    def store_lanes(rows: Any, row: Any, value: Any) -> None:
        _store(rows, row, value)

    return store_lanes


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def _select(typing_context: Any, condition: Any, yes: Any, no: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        first, second = (_splat(builder, value, _FLOATS) for value in arguments[1:])
        return builder.select(arguments[0], first, second)

    return _lanes(condition, yes, no), generate


def select(condition: Flag, yes: Lane, no: Lane) -> Lane:
    """`yes` where the condition holds, `no` elsewhere."""
    return _python_only()


@overload(select, strict=False)  # type: ignore[untyped-decorator]  # numba is untyped
def _overload_select(condition: Any, yes: Any, no: Any) -> Any:
    if isinstance(condition, _Flags):
        return lambda condition, yes, no: _select(condition, yes, no)
    return lambda condition, yes, no: yes if condition else no


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def _any_lane(typing_context: Any, condition: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(arguments[0], ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, ir.Constant(ir.IntType(LANES), 0))

    return types.boolean(condition), generate


def any_lane(condition: Flag) -> bool:
    """Whether the condition holds for any world."""
    return bool(_python_only())


@overload(any_lane, strict=False)  # type: ignore[untyped-decorator]  # numba is untyped
def _overload_any_lane(condition: Any) -> Any:
    if isinstance(condition, _Flags):
        return lambda condition: _any_lane(condition)
    return lambda condition: condition


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def _sqrt(typing_context: Any, value: Any) -> Any:
    kind = _lanes if isinstance(value, _Lanes) else types.float32

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call_llvm(builder, "llvm.sqrt", arguments[0])

    return kind(value), generate


@kernel
def sqrt(value: Lane) -> Lane:
    """The square root, correctly rounded."""
    return _sqrt(value)


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
# reduction by a multiple of pi/2 and a polynomial, both in float64. Its constants are glibc's (sincosf.h),
# and so is the use of fused multiply-add, which it prefers on every processor that has it.
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


@intrinsic  # type: ignore[untyped-decorator]  # numba is untyped
def _rotation(typing_context: Any, angle: Any) -> Any:
    is_vector = isinstance(angle, _Lanes)
    kind = _lanes if is_vector else types.float32

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        floats, doubles, ints = (
            (_FLOATS, _DOUBLES, _INTS)
            if is_vector
            else (ir.FloatType(), ir.DoubleType(), ir.IntType(32))
        )

        def constant(value: float, of: Any = doubles) -> Any:
            return ir.Constant(of, [value] * LANES if is_vector else value)

        def fma(a: Any, b: Any, c: Any) -> Any:
            return _call_llvm(builder, "llvm.fma", a, b, c)

        x = builder.fpext(arguments[0], doubles)
        scaled = builder.fptosi(builder.fmul(x, constant(_TWO_OVER_PI)), ints)
        n = builder.ashr(builder.add(scaled, constant(0x800000, ints)), constant(24, ints))
        r = fma(builder.fneg(builder.sitofp(n, doubles)), constant(_HALF_PI), x)
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
        s = builder.select(low, builder.fneg(s), s)
        c = builder.select(builder.xor(odd, low), builder.fneg(c), c)
        rotation = [builder.fptrunc(s, floats), builder.fptrunc(c, floats)]
        return context.make_tuple(builder, signature.return_type, rotation)

    return types.UniTuple(kind, 2)(angle), generate


@kernel
def rotation(angle: Lane) -> tuple[Lane, Lane]:
    """Sine and cosine of an angle below 120 rad, as the C library's sinf and cosf give them."""
    return _rotation(angle)  # type: ignore[no-any-return]
