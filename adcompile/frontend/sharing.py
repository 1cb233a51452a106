"""Which results of NumPy's functions share memory with their arguments.

A *view* shows elements of its argument, whatever the layout in memory (`x.T`), or only if the array
is contiguous (`reshape`): where that is not known, the result is kin to its argument (see `heap`).
What is neither a view nor surely new is kin to all arrays that the function was given.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from adcompile.codegen.aliasing import FRESH, HAND_BACK, VIEWS, is_fresh
from adcompile.frontend.heap import Heap, View, is_reference
from adcompile.frontend.operands import Operand
from adcompile.frontend.wanted import LAYOUTS
from adcompile.ir.core import Call, Update, Value, ViewCall
from adcompile.ir.infer.index import index_kind
from adcompile.ir.types import Array, Tree

# Views that NumPy does not let one write through.
FIXED = {np.broadcast_to, np.diagonal, np.diag}
# The argument itself, if it has the right dtype already.
SAME = {np.asarray, np.asanyarray}
# Views of a contiguous argument, copies of another.
RESHAPED = {np.reshape, np.ravel}
# New arrays whose elements lie in the order of rows.
CONTIGUOUS = {
    *(np.zeros, np.ones, np.full, np.empty, np.arange, np.linspace, np.eye, np.identity),
    *(np.matmul, np.dot, np.outer, np.tri),
}


# Functions whose results of rank 0 are arrays, not NumPy scalars; and those that give an array of
# an array, and a number of a number.
_BOXES = """
array asanyarray asarray broadcast_to empty empty_like full full_like ones ones_like select where
zeros zeros_like
"""
BOXES = {getattr(np, name) for name in _BOXES.split()}
KEEP_BOXES = {
    *(np.reshape, np.squeeze, np.transpose, np.swapaxes, np.moveaxis, np.real, np.copy),
    *(getattr(np, name) for name in ("astype",) if hasattr(np, name)),
}


def is_boxed(op: Call, first: Operand | None, boxed: set[Value]) -> bool:
    """Whether the result of rank 0 is an array, which can be written."""
    if op.fn in BOXES or (op.fn is np.copy and op.member is None):
        return True
    return op.fn in KEEP_BOXES and is_reference(first, boxed)


def note(
    heap: Heap,
    boxed: set[Value],
    op: Call,
    args: Sequence[Operand],
    named: Iterable[Operand] = (),
) -> None:
    """Tell the heap what the array that `op` made of `args` shares memory with."""
    made = op.results[0]
    first = args[0] if args else None
    if isinstance(made.type, Array) and not made.type.rank and is_boxed(op, first, boxed):
        boxed.add(made)
    if (op.fn in FRESH and op.fn not in HAND_BACK) or isinstance(op.fn, np.ufunc):
        return
    if not is_reference(made, boxed) and not isinstance(made.type, Tree):
        return
    if isinstance(made.type, Array) and is_reference(first, boxed) and op.member != "flatten()":
        assert isinstance(first, Value) and isinstance(first.type, Array)
        fixed = op.fn is np.broadcast_to or (op.fn in FIXED and first.type.rank > made.type.rank)
        if op.fn in VIEWS and not first.type.rank and not made.type.rank:  # nothing is turned
            heap.views[made] = View(made, first, (Ellipsis,), [], op.operands[0])
            return
        if op.fn in VIEWS or fixed:
            step = ViewCall(op.fn, len(op.operands) - 1, op.keywords, op.member)
            view = View(made, first, step, op.operands[1:], op.operands[0], fixed=fixed)
            heap.views[made] = view
            return
        if op.fn in SAME and first.type.dtype == made.type.dtype:
            heap.views[made] = View(made, first, (Ellipsis,), [], op.operands[0])
            return
        line = op.fn is np.reshape and first.type.rank == 1  # which always makes a view
        if _by_rows(op) and (line or is_contiguous(heap, first)):
            heap.views[made] = _reshaped(op, first)
            return
        path = heap.path(heap.place(first)) if _by_rows(op) and first not in heap.views else None
        if path is not None:
            heap.reshaped[made] = path
    elif op.fn is np.broadcast_to:  # of a number
        heap.seal(made, "NumPy does not let one write through this view")
    if op.member == "flatten()" or is_fresh(op, made):
        return
    for x in (*args, *named):
        if isinstance(x, Value) and is_reference(x, boxed):
            heap.relate_to(made, x)


def _by_rows(op: Call) -> bool:
    """A reshape in the order of rows (no `order=`)."""
    return op.fn in RESHAPED and not op.keywords and len(op.operands) == 1 + (op.fn is np.reshape)


def _reshaped(op: Call, x: Value) -> View:
    step = ViewCall(op.fn, len(op.operands) - 1, op.keywords, op.member)
    return View(op.results[0], x, step, op.operands[1:], op.operands[0], exact=False)


def note_index(
    heap: Heap,
    boxed: set[Value],
    x: Value,
    seen: Value,
    made: Value,
    spec: Any,
    at: list[Value],
) -> None:
    """`made` is `x[spec]`, where `x` holds `seen`."""
    assert isinstance(made.type, Array)
    if not made.type.rank and Ellipsis in spec:
        boxed.add(made)
    if not (is_reference(x, boxed) and is_reference(made, boxed)):
        return
    if x in heap.views and heap.views[x].flat:
        return
    if any(v in boxed for v in at):  # an array of rank 0 gathers, a NumPy scalar does not
        heap.relate_to(made, x)
    elif index_kind(seen, spec, at) == "basic":
        heap.views[made] = View(made, x, spec, list(at), seen)


def is_contiguous(heap: Heap, x: Value) -> bool:
    """Whether the elements of `x` surely lie in the order of rows, without gaps."""
    assert isinstance(x.type, Array)
    work, seen = [x], set()
    while work:
        v = work.pop()
        if v in seen or not isinstance(v.type, Array) or not v.type.rank:
            continue
        seen.add(v)
        if v in heap.views:
            view = heap.views[v]
            if view.exact:
                return False
            work.append(view.base)
            continue
        path = heap.path(heap.place(v))
        if path is not None and (LAYOUTS.get() or {}).get(path):
            continue
        op = v.owner
        if isinstance(op, Update):
            work.append(op.operands[0])
        elif not isinstance(op, Call):
            return False
        elif op.fn in CONTIGUOUS or op.member == "copy()" or (v.type.rank == 1 and _is_new(op, v)):
            continue
        elif isinstance(op.fn, np.ufunc) or op.fn in FRESH_OPERATORS:
            same = [o for o in op.operands if isinstance(o.type, Array) and o.type.rank]
            if not any(o.type.shape == v.type.shape for o in same):  # type: ignore[union-attr]
                return False
            work += same
        else:
            return False
    return True


def _is_new(op: Call, v: Value) -> bool:
    return op.fn in FRESH or isinstance(op.fn, np.ufunc) or is_fresh(op, v)


FRESH_OPERATORS = frozenset(f for f in FRESH if getattr(f, "__module__", "") == "_operator")

__all__ = ["is_contiguous", "note", "note_index"]
