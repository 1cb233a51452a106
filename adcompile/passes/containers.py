"""Patterns of layout: containers, shapes, transposes, casts that change nothing."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.types import Array, Scalar, Tree
from adcompile.passes.patterns import MATMUL, Match, Replacement, pattern

# --- parts of containers made here --------------------------------------------------------------


@pattern(core.Item)
def item(m: Match, op: core.Item) -> Value | None:
    """(a, b)[0] → a"""
    (tree,) = op.operands
    if isinstance(tree.owner, core.Make) and isinstance(tree.type, Tree):
        return tree.owner.operands[tree.type.keys.index(op.key)]
    key: Any = op.key
    known = core.constant(tree, None)
    return m.builder.const(known[key]) if isinstance(known, tuple | dict) else None


@pattern(core.Unpack)
def unpack(m: Match, op: core.Unpack) -> Replacement:
    """a, b = (x, y) → x and y"""
    (tree,) = op.operands
    return list(tree.owner.operands) if isinstance(tree.owner, core.Make) else None


@pattern(core.Index)
def index(m: Match, op: core.Index) -> Value | None:
    """[a, b][1] → b"""
    k = core.constant(op.operands[1]) if op.spec == ("value",) else None
    owner = op.operands[0].owner
    if isinstance(owner, core.Make | core.NewSeq) and type(k) is int and k < len(owner.operands):
        return owner.operands[k] if -len(owner.operands) <= k else None
    return None


# --- sizes --------------------------------------------------------------------------------------


@pattern(core.Item, len, np.size)
def known_size(m: Match, op: core.Op) -> Value | None:
    """x.shape[0] → 3 where the size is known"""
    t = op.result.type
    known = isinstance(t, Scalar) and t.kind == "int" and isinstance(t.size, int)
    return m.builder.const(t.size) if known else None  # type: ignore[union-attr]


# --- what changes nothing -----------------------------------------------------------------------


def _names(*names: str) -> list[Any]:
    """Those of these functions that this NumPy has."""
    return [getattr(np, name) for name in names if hasattr(np, name)]


# Where the type, shape included, comes out as it went in, these are the identity: they keep the
# order of the elements, and a reduction can only have reduced axes of length 1.
_KEEP = _names(
    "reshape", "ravel", "broadcast_to", "squeeze", "expand_dims", "astype", "asarray", "real",
    "conj", "conjugate", "atleast_1d", "atleast_2d", "sum", "mean", "max", "min", "amax", "amin",
    "prod",
)  # fmt: skip
_HARMLESS = {"axis", "keepdims", "shape", "dtype", "order", "copy"}


@pattern(*dict.fromkeys(_KEEP), float, int)
def unchanged(m: Match, op: core.Call) -> Value | None:
    """x.reshape(x.shape) → x; x.astype(x.dtype) → x; np.sum(x, axis=()) → x; float(f) → f"""
    x = op.operands[0]
    same = len(op.results) == 1 and x.type == op.result.type and isinstance(x.type, Array | Scalar)
    return x if same and _HARMLESS.issuperset(op.keywords) else None


# --- permutations of axes -----------------------------------------------------------------------

_PERMUTE = _names("transpose", "swapaxes", "moveaxis", "rollaxis", "matrix_transpose")


def _permutation(op: Any) -> tuple[int, ...] | None:
    """Which axis of the operand each axis of the result is."""
    if (
        not isinstance(op, core.Call)
        or op.fn not in _PERMUTE
        or not isinstance(op.result.type, Array)
    ):
        return None
    given = [_axes(v) for v in op.operands[1:]]
    if core.MISSING in given:
        return None
    # The sizes of an array tell its axes apart: ask the function itself.
    sample = np.broadcast_to(0, tuple(range(2, 2 + op.result.type.rank)))
    plain = len(given) - len(op.keywords)
    moved = op.fn(sample, *given[:plain], **dict(zip(op.keywords, given[plain:], strict=True)))
    return tuple(size - 2 for size in moved.shape)


def _axes(v: Value) -> Any:
    """An axis or a tuple of axes, if known."""
    if isinstance(v.owner, core.Make):
        items = tuple(map(core.constant, v.owner.operands))
        return core.MISSING if core.MISSING in items else items
    return core.constant(v)


@pattern(*_PERMUTE)
def permuted(m: Match, op: core.Call) -> Value | None:
    """x.T.T → x; two permutations in a row are one"""
    outer, inner_op = _permutation(op), op.operands[0].owner
    if outer is None:
        return None
    identity = tuple(range(len(outer)))
    if outer == identity:
        return op.operands[0]
    inner = _permutation(inner_op)
    if inner is None or not isinstance(inner_op, core.Call):
        return None
    both = tuple(inner[k] for k in outer)
    if both == identity:
        return inner_op.operands[0]
    if both == identity[::-1]:
        return m.builder.member(np.transpose, "T", inner_op.operands[0])
    return m.call(np.transpose, inner_op.operands[0], both)


@pattern(np.transpose, of=MATMUL)
def transposed_product(m: Match, op: core.Call) -> Value | None:
    """(a @ b.T).T → b @ a.T; (a.T @ b).T → b.T @ a"""
    pair = m.only(op.operands[0], MATMUL)
    if pair is None or _permutation(op) != (1, 0):
        return None
    plain = [_transposed(v) for v in pair]
    if plain == [None, None] or any(getattr(v.type, "rank", 0) != 2 for v in pair):
        return None
    a, b = (
        m.builder.member(np.transpose, "T", v) if p is None else p
        for v, p in zip(pair, plain, strict=True)
    )
    return m.call(operator.matmul, b, a)


def _transposed(v: Value) -> Value | None:
    """What `v` is the transpose of, if it is one."""
    op = v.owner
    if isinstance(op, core.Call) and _permutation(op) == (1, 0):
        return op.operands[0]
    return None


# --- zeros --------------------------------------------------------------------------------------

_LIKE = (np.zeros_like, np.ones_like, np.full_like, np.empty_like)


@pattern(np.zeros_like)
def zeros_of_a_shape(m: Match, op: core.Call) -> Value | None:
    """np.zeros_like(np.zeros_like(x)) → np.zeros_like(x): an array is not made for its shape"""
    x = v = op.operands[0]
    while isinstance(v.type, Array):
        made = v.owner
        if not isinstance(made, core.Call | core.Update) or not made.order:
            break
        if isinstance(made, core.Call) and (made.fn not in _LIKE or "dtype" in made.keywords):
            break
        v = made.operands[0]
    same = isinstance(v.type, Array) and v.type == x.type and len(op.operands) == 1
    return m.call(np.zeros_like, v) if same and v is not x else None
