"""Writes into arrays: `x[i] = v`, `x += v`, `out=`, and the functions and methods that write.

All of them end in `write`: the contents of the place that the array has become an `Update` of what
they were, or of what is seen through a chain of views. `x[i] *= v` reads, multiplies and writes;
only `+=` and `-=` are updates of their own, since their adjoints read nothing.
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable
from typing import Any

import gast
import numpy as np

from adcompile.errors import AliasError
from adcompile.frontend import expressions, joins, subscripts, wanted
from adcompile.frontend.context import Context
from adcompile.frontend.heap import View
from adcompile.frontend.operands import Known, Operand, Tup
from adcompile.frontend.source import loc_of
from adcompile.ir.core import Call, Spec, Step, Value, ViewCall
from adcompile.ir.indices import may_repeat
from adcompile.ir.infer import infer_index
from adcompile.ir.types import Array, Scalar, Seq, Tree, describe

WHOLE: Spec = (Ellipsis,)


# --- one write ----------------------------------------------------------------------------------


def write(
    cx: Context,
    x: Value,
    spec: Spec,
    operands: list[Value],
    value: Operand,
    node: gast.AST,
    mode: str = "=",
) -> None:
    """`x[spec] = value`, `+=`, `-=` or `np.add.at`, seen through every name of the array."""
    base, views = cx.heap.chain(x)
    if base in cx.heap.picked:
        message = "which of the arrays of this list is written must be known at compile time"
        wanted.unroll(cx, cx.heap.picked[base], AliasError(message, loc_of(node)))
    place = cx.heap.place(base)
    _check_writable(cx, x, place, views, node)
    v = _as_array(cx, value, x, node)
    current = cx.value(base, node)
    if not views or all(view.exact for view in views):
        new = _update(cx, current, views, spec, operands, v, mode, node)
        cx.heap.write(cx.store, place, new, loc_of(node))
        return
    last = max(k for k, view in enumerate(views) if not view.exact)
    inexact = views[last]
    seen = cx.heap.load(inexact.value, cx.here(node), cx.contents)
    new = _update(cx, seen, views[last + 1 :], spec, operands, v, mode, node)
    shape = cx.emit(node, np.shape, [inexact.base], member="shape")
    back = cx.value(cx.emit(node, np.reshape, [new, shape], member="reshape()"), node)
    if inexact.base in cx.heap.views:
        write(cx, inexact.base, WHOLE, [], back, node)
        return
    back.name = base.name
    cx.heap.write(cx.store, place, back, loc_of(node))


def replace(cx: Context, x: Value, contents: Value, node: gast.AST) -> None:
    """The array `x` holds `contents` from now on, which are of its type."""
    base, views = cx.heap.chain(x)
    if views:
        write(cx, x, WHOLE, [], contents, node)
    else:
        cx.heap.write(cx.store, cx.heap.place(base), contents, loc_of(node))


def _check_writable(cx: Context, x: Value, place: Any, views: list[View], node: gast.AST) -> None:
    reason = cx.heap.sealed.get(place)
    if reason is None and any(view.fixed for view in views):
        reason = "NumPy does not let one write through this view"
    if reason is not None:
        cx.unsupported(reason, node, f"write into a copy: `{x.name or 'x'}.copy()`")


def _update(
    cx: Context,
    current: Value,
    views: list[View],
    spec: Spec,
    operands: list[Value],
    v: Value,
    mode: str,
    node: gast.AST,
) -> Value:
    steps: list[tuple[Step, list[Value]]] = [(view.step, view.operands) for view in views]
    last = steps[-1][0] if steps else None
    if spec == WHOLE and last is not None and not isinstance(last, ViewCall):
        spec, operands = last, steps.pop()[1]  # `row[...] = v` is `A[i] = v`

    def replace(old: Value) -> None:
        new = cx.need(old, node)
        operands[:] = [new if o is old else o for o in operands]

    operands = list(operands)

    def attempt() -> Value:
        _check_index(current, steps, spec, operands)
        return cx.here(node).update(current, v, spec, operands, mode, steps)

    return cx.inferred(attempt, replace, node)


def _check_index(
    current: Value, steps: list[tuple[Step, list[Value]]], spec: Spec, operands: list[Value]
) -> None:
    """Whether NumPy takes the index (raises TypeClash)."""
    if not steps:
        infer_index(current, spec, operands)


def _as_array(cx: Context, x: Operand, target: Value, node: gast.AST) -> Value:
    """What is written: a number or an array; lists of numbers are arrays here."""
    held = cx.held(x)
    if isinstance(held, Tup) or isinstance(getattr(held, "type", None), Tree | Seq):
        held = cx.emit(node, np.array, [x])
    v = cx.value(held, node)
    assert isinstance(target.type, Array)
    kind = v.type.dtype.kind if isinstance(v.type, Array) else None
    if isinstance(v.type, Scalar):
        kind = {"bool": "b", "int": "i", "float": "f", "complex": "c"}[v.type.kind]
    if kind is None:
        cx.mismatch(f"{describe(v.type)} cannot be written into an array", node)
    if kind == "c" and target.type.dtype.kind != "c":
        cx.mismatch(f"a complex number cannot be written into {describe(target.type)}", node)
    return v


# --- targets ------------------------------------------------------------------------------------


def set_item(cx: Context, x: Value, index: Operand, value: Operand, node: gast.AST) -> None:
    """`x[index] = value` of an array."""
    spec, operands = subscripts.entries(cx, index, node)
    write(cx, x, spec, operands, value, node)


def augment_item(
    cx: Context, x: Value, index: Operand, fn: Callable[..., Any], value: Operand, node: gast.AST
) -> None:
    """`x[index] op= value` of an array."""
    spec, operands = subscripts.entries(cx, index, node)
    part = subscripts.read(cx, x, spec, list(operands), node)
    _check_cast(cx, part, fn, value, node)
    if fn in _MODES and not may_repeat(operands):  # NumPy then keeps the last, and adds up nothing
        write(cx, x, spec, operands, value, node, _MODES[fn])
        return
    made = expressions.binary(cx, fn, part, value, node)
    write(cx, x, spec, operands, made, node)


def augment(cx: Context, x: Value, fn: Callable[..., Any], value: Operand, node: gast.AST) -> None:
    """`x op= value` of an array: a write into all of it."""
    _check_cast(cx, x, fn, value, node)
    if fn in _MODES:
        write(cx, x, WHOLE, [], value, node, _MODES[fn])
        return
    made = expressions.binary(cx, fn, x, value, node)
    write(cx, x, WHOLE, [], made, node)


_MODES = {operator.add: "+", operator.sub: "-"}


def _check_cast(
    cx: Context, part: Operand, fn: Callable[..., Any], value: Operand, node: gast.AST
) -> None:
    """An augmented write does not change the kind of an array: floats do not fit integers."""
    if not (isinstance(part, Value) and isinstance(part.type, Array) and part.type.rank):
        return
    v = value if isinstance(value, Value) else cx.value(value, node)
    if isinstance(v.type, Scalar):
        other: Any = {"bool": True, "int": 1, "float": 1.0, "complex": 1j}[v.type.kind]
    elif isinstance(v.type, Array):
        other = v.type.dtype
    else:
        return
    found = np.result_type(part.type.dtype, other)
    if fn is operator.truediv and found.kind in "iub":
        found = np.dtype(float)
    if not np.can_cast(found, part.type.dtype, "same_kind"):
        kind = "complex" if found.kind == "c" else "float"
        cx.mismatch(
            f"a {found.name} result cannot be written into {describe(part.type)}",
            node,
            f"make it an array of another dtype first: `{part.name or 'x'}.astype({kind})`",
        )


# --- functions and methods that write -----------------------------------------------------------

Args = list[Operand]
Kwargs = dict[str, Operand]
Writer = Callable[[Context, Any, Args, Kwargs], Operand]


def out(
    cx: Context,
    node: gast.AST,
    target: Operand,
    result: Operand,
    where: Operand | None,
    spreads: bool = False,
) -> Operand:
    """`f(…, out=target, where=…)`: the array `target`, which holds `result` now.

    `spreads`: the result of a ufunc may be broadcast to `target`; all others have its shape.
    """
    x = reference(cx, target, node)
    _check_cast(cx, x, operator.add, result, node)
    rank = getattr(cx.value(result, node).type, "rank", 0)
    if not spreads and isinstance(x.type, Array) and x.type.rank != rank:
        cx.mismatch(f"`out=` has rank {x.type.rank}, the result has rank {rank}", node)
    if where is not None:
        result = cx.emit(node, np.where, [where, result, x])
    write(cx, x, WHOLE, [], result, node)
    return x


def reference(cx: Context, x: Operand, node: gast.AST) -> Value:
    """The array that is written into."""
    if not (isinstance(x, Value) and isinstance(x.type, Array)):
        cx.mismatch(
            f"{joins.describe_operand(x)} is no array to write into",
            node,
            "make one of the type of the result: `np.empty(shape)`",
        )
    return x


def _bound(cx: Context, node: gast.AST, names: str, args: Args, kwargs: Kwargs) -> list[Any]:
    """The arguments by name; None for those that are not given."""
    wanted = names.split()
    given: dict[str, Operand] = dict(zip(wanted, args, strict=False))
    for k, v in kwargs.items():
        if k not in wanted or k in given:
            cx.mismatch(f"the argument `{k}` is not one of {', '.join(wanted)}", node)
        given[k] = v
    if len(args) > len(wanted):
        cx.mismatch(f"{len(args)} arguments are given, {len(wanted)} are known", node)
    return [given.get(name) for name in wanted]


def _copyto(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    dst, src, casting, where = _bound(cx, node, "dst src casting where", args, kwargs)
    x = reference(cx, dst, node)
    if casting is not None:
        cx.unsupported("`casting=` is not supported here", node, "convert with `astype` first")
    _check_cast(cx, x, operator.add, src, node)
    if where is not None and cx.known(where) is not True:
        src = cx.emit(node, np.where, [where, src, x])
    write(cx, x, WHOLE, [], src, node)
    return Known(None)


def _fill(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    x, value = _bound(cx, node, "x value", args, kwargs)
    write(cx, reference(cx, x, node), WHOLE, [], value, node)
    return Known(None)


def _sort(fn: Callable[..., Any]) -> Writer:
    def writer(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        x = reference(cx, args[0], node)
        write(cx, x, WHOLE, [], cx.emit(node, fn, args, kwargs), node)
        return Known(None)

    return writer


def _put(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    a, ind, v, mode = _bound(cx, node, "a ind v mode", args, kwargs)
    if mode is not None:
        cx.unsupported("`mode=` is not supported here", node, "use indices that are in range")
    flat = flat_view(cx, reference(cx, a, node), node)
    set_item(cx, flat, ind, v, node)
    return Known(None)


def _putmask(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    a, mask, values = _bound(cx, node, "a mask values", args, kwargs)
    x = reference(cx, a, node)
    write(cx, x, WHOLE, [], cx.emit(node, np.where, [mask, values, x]), node)
    return Known(None)


def _put_along_axis(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arr, indices, values, axis = _bound(cx, node, "arr indices values axis", args, kwargs)
    x = reference(cx, arr, node)
    assert isinstance(x.type, Array)
    k = cx.static(axis, node)
    if k is None:
        set_item(cx, flat_view(cx, x, node), indices, values, node)
        return Known(None)
    rank = x.type.rank
    entries: list[Operand] = []
    for n in range(rank):
        if n == k % rank:
            entries.append(indices)
            continue
        size = subscripts.subscript(cx, cx.emit(node, np.shape, [indices]), Known(n), node)
        count = cx.emit(node, np.arange, [size])
        axes: list[Operand] = [Known(None if m != n else slice(None)) for m in range(rank)]
        entries.append(subscripts.subscript(cx, count, _tuple(axes), node))
    set_item(cx, x, _tuple(entries), values, node)
    return Known(None)


def _fill_diagonal(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    a, val, wrap = _bound(cx, node, "a val wrap", args, kwargs)
    x = reference(cx, a, node)
    assert isinstance(x.type, Array)
    if wrap is not None and cx.known(wrap) is not False:
        cx.unsupported("`wrap=` is not supported", node, "leave it out")
    if x.type.rank < 2:
        cx.mismatch("array must be at least 2-d", node)
    least = cx.emit(node, min, [cx.emit(node, np.shape, [x], member="shape")])
    i = cx.emit(node, np.arange, [least])
    set_item(cx, x, _tuple([i] * x.type.rank), val, node)
    return Known(None)


def at(cx: Context, node: gast.AST, ufunc: np.ufunc, args: Args, kwargs: Kwargs) -> Operand:
    """`np.add.at(x, index, v)`: repeated indices add up."""
    if ufunc not in (np.add, np.subtract):
        cx.unsupported(
            f"`np.{ufunc.__name__}.at` is not supported",
            node,
            "write a loop over the indices: `for i in indices: x[i] = …`",
        )
    if kwargs or len(args) != 3:
        cx.mismatch(f"`np.{ufunc.__name__}.at` takes an array, an index and values", node)
    target, index, value = args
    x = reference(cx, target, node)
    if ufunc is np.subtract:
        value = cx.emit(node, operator.neg, [value])
    spec, operands = subscripts.entries(cx, index, node)
    write(cx, x, spec, operands, value, node, "add.at")
    return Known(None)


def by_function(cx: Context, node: gast.AST, fn: Any, args: Args, kwargs: Kwargs) -> Operand | None:
    """The call of a function that writes into an array; None for all others."""
    try:
        writer = FUNCTIONS.get(fn)
    except TypeError:  # not hashable
        return None
    if writer is not None:
        return writer(cx, node, args, kwargs)
    owner = getattr(fn, "__self__", None)
    if isinstance(owner, np.ufunc) and fn.__name__ == "at":
        return at(cx, node, owner, args, kwargs)
    target = kwargs.get("out")
    if isinstance(fn, np.ufunc) and len(args) > fn.nin:
        *args, target = args
    if target is None or cx.known(target) is None or isinstance(fn, types.FunctionType):
        return None
    ufunc = isinstance(fn, np.ufunc)  # of others, `where=` says which elements are reduced
    own = ("out", "where") if ufunc else ("out",)
    rest = {k: v for k, v in kwargs.items() if k not in own}
    held = cx.held(target)
    if isinstance(held, Tup) and len(held.items) == 1:  # out=(x,)
        target = held.items[0]
    where = kwargs.get("where") if ufunc else None
    return out(cx, node, target, cx.emit(node, fn, args, rest), where, ufunc)


def flat_view(cx: Context, x: Value, node: gast.AST) -> Value:
    """The elements of `x` in the order of rows, whatever its layout: `x.flat`."""
    held = cx.value(x, node)
    made = cx.value(cx.emit(node, np.reshape, [x, Known(-1)], member="reshape()"), node)
    assert isinstance(made.owner, Call)
    step = ViewCall(np.reshape, 1, (), "reshape()")
    at = made.owner.operands[1:]
    cx.heap.views[made] = View(made, x, step, at, held, exact=False, flat=True)
    return made


def _tuple(items: list[Operand]) -> Tup:
    return Tup(tuple, tuple(range(len(items))), tuple(items))


def _refused(what: str, instead: str) -> Writer:
    def writer(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        cx.unsupported(what, node, instead)

    return writer


FUNCTIONS: dict[Any, Writer] = {
    np.copyto: _copyto,
    np.put: _put,
    np.putmask: _putmask,
    np.put_along_axis: _put_along_axis,
    np.fill_diagonal: _fill_diagonal,
    np.place: _refused("`np.place` is not supported", "use `x[mask] = v` or `np.where`"),
    np.random.shuffle: _refused(
        "`shuffle` draws at random and writes", "use `x = np.random.permutation(x)`"
    ),
}

METHODS: dict[str, Writer] = {
    "fill": _fill,
    "sort": _sort(np.sort),
    "partition": _sort(np.partition),
    "put": _put,
    **{
        name: _refused(f"`.{name}()` of an array is not supported", instead)
        for name, instead in {
            "resize": "make a new array: `np.resize(x, shape)`",
            "setfield": "write `x[...] = v`",
            "setflags": "make a copy: `x.copy()`",
            "byteswap": "convert: `x.astype(dtype)`",
        }.items()
    },
}

__all__ = ["FUNCTIONS", "METHODS", "at", "augment", "augment_item", "flat_view", "out", "set_item"]
