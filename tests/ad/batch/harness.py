"""What the tests of batches share: Jacobians made both ways, and what they are compared with.

A Jacobian is run by the interpreter and as generated code, and compared with single-direction calls
of the function it was made from, and with finite differences of the program.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile import grad, pipeline
from adcompile.ad.batch import jacobian_blocks
from adcompile.ad.forward import jvp
from adcompile.ad.reverse import backward
from adcompile.ad.saved import settle
from adcompile.codegen.load import load
from adcompile.codegen.python import Generated, generate
from adcompile.frontend.scopes import data_type
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Param, Value
from adcompile.ir.interpreter import run
from adcompile.ir.types import Array, Scalar, Type
from adcompile.ir.verifier import verify
from adcompile.modes.base import open_end


def types_of(args: Sequence[Any]) -> list[Type]:
    found = [data_type(a) for a in args]
    assert None not in found
    return found  # type: ignore[return-value]


def passes(fn: Function, row: Sequence[Any]) -> None:
    for f in core.callees(fn):
        for p in row:
            p.run(f)


def single_forward(
    program: Callable[..., Any], args: Sequence[Any], wrt: Sequence[int]
) -> Function:
    """(*primals, *tangents) → (value, tangent)."""
    made = jvp(pipeline.build(program, types_of(args), {}), wrt)
    passes(made, pipeline.CLEAN)
    return made


def single_reverse(
    program: Callable[..., Any], args: Sequence[Any], wrt: Sequence[int]
) -> Function:
    """(*primals, cotangent) → (value, *cotangents)."""
    return with_cotangent(pipeline.build(program, types_of(args), {}), wrt)


def with_cotangent(fn: Function, wrt: Sequence[int]) -> Function:
    out, b = open_end(fn)
    seed = Value(out.type, f"d_{fn.name}", fn.block)
    sweep, grads = backward(fn, wrt, out, seed, b)
    b.return_(out, *grads)
    fn.block.params.append(seed)
    fn.params.append(Param(seed.name or ""))
    for part, inner in [(fn, sweep), *((p.joint, p.sweep) for p in sweep.pairs.values())]:
        for p in pipeline.CLEAN:
            p.run(part)
        settle(part, inner.links)
    for pair in sweep.pairs.values():
        for p in pipeline.SPLIT:
            p.run(pair.joint)
        pair.split()
    return fn


def to_jacobian(
    fn: Function, count: int, wrt: Sequence[int], forward: bool, as_tuple: bool = False
) -> Function:
    """Make of a single-direction function of `count` primals the Jacobian with its value."""
    params = fn.block.params
    if forward:
        seeds = [(params[count + k], params[w]) for k, w in enumerate(wrt)]
    else:
        seeds = [(params[count], fn.returns[0])]
    jacobian_blocks(fn, seeds, fn.returns[1:], forward=forward, as_tuple=as_tuple)
    for f in core.callees(fn):
        verify(f)
    return fn


def jacobian_of(
    program: Callable[..., Any],
    args: Sequence[Any],
    wrt: Sequence[int] = (0,),
    *,
    forward: bool,
    as_tuple: bool = False,
) -> Function:
    single = single_forward if forward else single_reverse
    return to_jacobian(single(program, args, wrt), len(args), wrt, forward, as_tuple)


def finished(fn: Function) -> Generated:
    """The text of a Jacobian."""
    whole = (*pipeline.LEAN, *pipeline.SHARE, *pipeline.POLISH)
    for f in core.callees(fn):
        for p in whole if f is fn else pipeline.SPLIT:
            p.run(f)
        verify(f)
    return generate(fn)


def both_ways(fn: Function, args: Sequence[Any]) -> tuple[Any, str]:
    """The result by the interpreter, which that of the generated code equals; and its text."""
    kept = copy.deepcopy(args)
    want = run(fn, *copy.deepcopy(args))
    generated = finished(fn)
    got = load(generated, fn.name)(*args)
    equal(got, want, 1e-13)
    equal(args, kept, 0.0)
    return want, generated.text


# --- trees --------------------------------------------------------------------------------------


def children(x: Any) -> list[Any] | None:
    if isinstance(x, dict):
        return list(x.values())
    if isinstance(x, list | tuple):
        return list(x)
    if x is not None and not isinstance(x, np.ndarray | np.generic | int | float):
        return [getattr(x, k) for k in x.__dataclass_fields__]
    return None


def leaves(x: Any) -> list[Any]:
    inner = children(x)
    return [x] if inner is None else [leaf for part in inner for leaf in leaves(part)]


def equal(got: Any, want: Any, tol: float, dtypes: bool = True) -> None:
    """The same structure, shapes, dtypes, and values up to `tol`."""
    if children(want) is not None:
        assert type(got) is type(want)
        assert len(children(got) or []) == len(children(want) or [])
        for a, b in zip(children(got) or [], children(want) or [], strict=True):
            equal(a, b, tol, dtypes)
        return
    if want is None:
        assert got is None
        return
    a, b = np.asarray(got), np.asarray(want)
    assert a.shape == b.shape, (a.shape, b.shape)
    if dtypes:
        assert a.dtype == b.dtype, (a.dtype, b.dtype)
    if a.dtype.kind in "iub":
        assert np.array_equal(a, b)
    else:
        tol = max(tol, 1e-5) if a.dtype == np.float32 else tol
        np.testing.assert_allclose(a, b, rtol=tol, atol=tol)


def is_float(x: Any) -> bool:
    return x is not None and np.asarray(x).dtype.kind == "f"


def replaced(x: Any, new: list[Any]) -> Any:
    """The tree `x` with other leaves, taken from the front of `new`."""
    if isinstance(x, dict):
        return {k: replaced(v, new) for k, v in x.items()}
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*[replaced(v, new) for v in x])
    if isinstance(x, list | tuple):
        return type(x)([replaced(v, new) for v in x])
    if children(x) is not None:
        return type(x)(*[replaced(v, new) for v in children(x) or []])
    return new.pop(0)


def like(leaf: Any, value: Any) -> Any:
    """`value` as what `leaf` is: a Python float, a NumPy scalar or an array."""
    if isinstance(leaf, np.ndarray):
        return np.asarray(value, leaf.dtype).reshape(leaf.shape)
    return leaf.dtype.type(value) if isinstance(leaf, np.generic) else float(value)


def unit_vectors(xs: Sequence[Any]) -> list[list[Any]]:
    """For each direction: the values of all leaves of `xs`, None where there is no derivative."""
    parts = leaves(list(xs))
    found = []
    for k, x in enumerate(parts):
        if not is_float(x):
            continue
        for e in range(np.size(x)):
            one: list[Any] = [
                like(y, np.zeros(np.shape(y))) if is_float(y) else None for y in parts
            ]
            v = np.zeros(np.size(x))
            v[e] = 1.0
            one[k] = like(x, v if np.ndim(x) else v[0])
            found.append(one)
    return found


# --- what Jacobians are compared with -----------------------------------------------------------


def dense_blocks(blocks: Any, ys: Any, xs: Sequence[Any], as_tuple: bool = False) -> np.ndarray:
    """The Jacobian as one matrix; checks structure, shapes and dtypes of its blocks."""
    rows = []
    for y, of_y in zip(leaves(ys), pick(blocks, ys), strict=True):
        if not is_float(y):
            assert of_y is None
            continue
        if len(xs) == 1 and not as_tuple:
            of_y = (of_y,)
        assert type(of_y) is tuple and len(of_y) == len(xs)
        row = []
        for x_tree, of_x in zip(xs, of_y, strict=True):
            for x, block in zip(leaves(x_tree), pick(of_x, x_tree), strict=True):
                if not is_float(x):
                    assert block is None
                    continue
                assert np.shape(block) == (*np.shape(y), *np.shape(x)), (
                    np.shape(block),
                    np.shape(y),
                )
                row.append(np.reshape(block, (np.size(y), np.size(x))))
        rows.append(np.concatenate(row, axis=1))
    return np.concatenate(rows, axis=0)


def pick(tree: Any, structure: Any) -> list[Any]:
    """What stands in `tree` at the leaves of `structure`."""
    inner = children(structure)
    if inner is None:
        return [tree]
    assert type(tree) is type(structure), (type(tree), type(structure))
    got = children(tree) or []
    return [leaf for a, b in zip(got, inner, strict=True) for leaf in pick(a, b)]


def by_single_calls(
    program: Callable[..., Any], args: Sequence[Any], wrt: Sequence[int], forward: bool
) -> np.ndarray:
    """One call for each direction."""
    xs = [args[w] for w in wrt]
    fn = (single_forward if forward else single_reverse)(program, args, wrt)
    if forward:
        columns = []
        for one in unit_vectors(xs):
            dots = replaced(list(xs), list(one))
            _, dot = run(fn, *copy.deepcopy(list(args)), *dots)
            columns.append(flat(dot))
        return np.stack(columns, axis=1) if columns else np.zeros((flat(program(*args)).size, 0))
    y = run(fn, *copy.deepcopy(list(args)), zero_of(program(*copy.deepcopy(list(args)))))[0]
    rows = []
    for one in unit_vectors([y]):
        filled = [0 if v is None else v for v in one]
        _, *ds = run(fn, *copy.deepcopy(list(args)), replaced([y], filled)[0])
        rows.append(flat(ds))
    return np.stack(rows) if rows else np.zeros((0, flat(xs).size))


def zero_of(y: Any) -> Any:
    return replaced([y], [like(v, np.zeros(np.shape(v))) if is_float(v) else 0 for v in leaves(y)])[
        0
    ]


def flat(tree: Any) -> np.ndarray:
    parts = [np.ravel(np.asarray(v, float)) for v in leaves(tree) if is_float(v)]
    return np.concatenate(parts) if parts else np.zeros(0)


def by_differences(
    program: Callable[..., Any], args: Sequence[Any], wrt: Sequence[int], h: float = 1e-4
) -> np.ndarray:
    """By central differences of fourth order."""
    xs = [args[w] for w in wrt]

    def at(one: list[Any], step: float) -> np.ndarray:
        moved = [
            x if d is None else like(x, np.asarray(x) + step * np.asarray(d))
            for x, d in zip(leaves(xs), one, strict=True)
        ]
        new = list(copy.deepcopy(list(args)))
        for w, x in zip(wrt, replaced(list(xs), moved), strict=True):
            new[w] = x
        return flat(program(*new))

    columns = []
    for one in unit_vectors(xs):
        near = (at(one, h) - at(one, -h)) / (2 * h)
        far = (at(one, 2 * h) - at(one, -2 * h)) / (4 * h)
        columns.append((4 * near - far) / 3)
    return np.stack(columns, axis=1)


def check(
    program: Callable[..., Any],
    *args: Any,
    wrt: Sequence[int] = (0,),
    modes: Sequence[bool] = (True, False),
    tol: float = 1e-12,
    differences: float | None = 1e-6,
) -> dict[bool, str]:
    """The Jacobian both ways, against single calls and finite differences; the texts by mode."""
    texts = {}
    for forward in modes:
        fn = jacobian_of(program, args, wrt, forward=forward)
        (value, blocks), texts[forward] = both_ways(fn, args)
        y = program(*copy.deepcopy(list(args)))
        equal(value, y, tol, dtypes=False)
        xs = [args[w] for w in wrt]
        got = dense_blocks(blocks, y, xs)
        np.testing.assert_allclose(
            got, by_single_calls(program, args, wrt, forward), rtol=tol, atol=tol
        )
        check_dtypes(blocks, y, xs, forward)
        if differences is not None:
            want = by_differences(program, args, wrt)
            np.testing.assert_allclose(got, want, rtol=differences, atol=differences)
    return texts


def check_dtypes(blocks: Any, y: Any, xs: Sequence[Any], forward: bool) -> None:
    """Tangents have the dtypes of results, cotangents those of arguments."""
    for v, of_y in zip(leaves(y), pick(blocks, y), strict=True):
        of_y = (of_y,) if len(xs) == 1 else of_y
        for x_tree, of_x in zip(xs, of_y if is_float(v) else (), strict=is_float(v)):
            for x, block in zip(leaves(x_tree), pick(of_x, x_tree), strict=True):
                if is_float(x):
                    assert np.asarray(block).dtype == np.asarray(v if forward else x).dtype


# --- several directions for programs with one number as result ------------------------------------

WEIGHTS = np.array([1.0, -0.5, 2.0])


def fanned(fn: Function, count: int) -> Function:
    """`fn` with its cotangent multiplied by the last of three new numbers' weighted sum.

    Its Jacobian with respect to these has three rows: the gradient times each of the weights.
    """
    seed = fn.block.params[count]
    rows = Value(Array(np.dtype(float), (3,)), "rows", fn.block)
    like = Value(Array(np.dtype(float), (3,)), "like", fn.block)
    at = next(k for k, op in enumerate(fn.block.ops) if op.order)
    b = Builder(Block(), fn.block.ops[at].loc, fn.block.ops[at].order)
    total = b.call(np.dot, rows, b.const(WEIGHTS))
    if isinstance(seed.type, Scalar):
        total = b.call(float, total)
    elif isinstance(seed.type, Array):
        total = b.call(seed.type.dtype.type, total)
    fn.block.ops[at:at] = b.block.ops
    core.substitute(fn.block, {seed: total})
    fn.block.params[count:] = [like, rows]
    fn.params[count:] = [Param("like"), Param("rows")]
    jacobian_blocks(fn, [(rows, like)], fn.returns[1:], forward=False)
    for f in core.callees(fn):
        verify(f)
    return fn


def check_fanned(program: Callable[..., Any], args: Sequence[Any], wrt: Sequence[int]) -> str:
    """The reverse batch of a program that returns one number, against its gradient."""
    kept = list(copy.deepcopy(list(args)))
    _, *want = run(single_reverse(program, args, wrt), *copy.deepcopy(kept), 1.0)
    fn = fanned(single_reverse(program, args, wrt), len(args))
    (_, got), text = both_ways(fn, [*kept, WEIGHTS])
    got = [got] if len(wrt) == 1 else list(got)
    for d, rows in zip(leaves(want), leaves(got), strict=True):
        if is_float(d):
            assert np.asarray(rows).dtype == np.asarray(d).dtype
            expected = np.multiply.outer(WEIGHTS, np.asarray(d))
            np.testing.assert_allclose(rows, expected, rtol=1e-12, atol=1e-12)
    return text


# --- Hessians -------------------------------------------------------------------------------------


def gradient_tangent(
    program: Callable[..., Any], args: Sequence[Any], wrt: Sequence[int]
) -> Function:
    """(*primals, *tangents) → (gradients, tangents of the gradients), by forward over reverse."""
    made = pipeline.build(grad(program, wrt=tuple(wrt)), types_of(args), {})
    pipeline.again(made)
    made = jvp(made, wrt)
    passes(made, pipeline.CLEAN)
    return made


def check_hessian(
    program: Callable[..., Any], args: Sequence[Any], wrt: Sequence[int], tol: float = 1e-10
) -> str:
    """The Hessian against single Hessian-vector products; returns its text."""
    args = list(args)
    xs = [args[w] for w in wrt]
    single = gradient_tangent(program, args, wrt)
    columns = []
    for one in unit_vectors(xs):
        dots = replaced(list(xs), list(one))
        columns.append(flat(run(single, *copy.deepcopy(args), *dots)[1]))
    want = np.stack(columns, axis=1)
    fn = to_jacobian(gradient_tangent(program, args, wrt), len(args), wrt, True, as_tuple=True)
    (_, blocks), text = both_ways(fn, args)
    got = dense_blocks(blocks, tuple(xs), xs, as_tuple=True)
    scale = max(1.0, float(np.abs(want).max()))
    np.testing.assert_allclose(got / scale, want / scale, rtol=tol, atol=tol)
    np.testing.assert_allclose(got / scale, got.T / scale, rtol=1e-8, atol=1e-8)
    return text
