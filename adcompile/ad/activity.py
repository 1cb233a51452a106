"""Activity: which values carry derivatives.

A value is *varied* if it depends differentiably on the parameters that are differentiated, and
*useful* if the result depends differentiably on it; it is *active* if both. Only active values
get adjoints. Both are forward and backward data-flow fixpoints over structured blocks
(Hascoët & Pascual, "The Tapenade automatic differentiation tool", 2013, section 4.1).
"""

from __future__ import annotations

from collections.abc import Iterable

from adcompile import errors
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.types import Array, Scalar, carries_derivative
from adcompile.rules.registry import lookup


def differentiable(op: Op) -> bool:
    """Whether derivatives pass through `op` (shape queries, comparisons, … stop them)."""
    if isinstance(op, core.Call):
        rules = lookup(op.fn)
        return rules is None or not rules.zero
    return not isinstance(op, core.Const | core.Global | core.Undef | core.Raise | core.Assert)


def active_values(fn: Function, sources: Iterable[Value], targets: Iterable[Value]) -> set[Value]:
    """The values on differentiable paths from `sources` to `targets`."""
    varied, useful = _varied(fn, sources), _useful(fn, targets)
    for op in core.walk(fn.block):
        if isinstance(op, core.Update) and op.operands[1] in varied and op.result in useful:
            _check_kept(op)
        _check_real(op, varied)
    return varied & useful


def _check_kept(op: core.Update) -> None:
    """Refuse a differentiated number that is cut off to be kept as an integer."""
    if not carries_derivative(op.result.type):
        raise errors.NotDifferentiable(
            "a differentiated number is written into an array of integers, so its derivative is"
            " zero",
            op.loc,
            "make the array one of floats",
        )


def _check_real(op: Op, varied: set[Value]) -> None:
    """Refuse to make complex numbers of what is differentiated: rules are those of real ones."""
    for r in op.results:
        t = r.type
        kind = t.kind[0] if isinstance(t, Scalar) else t.dtype.kind if isinstance(t, Array) else ""
        if kind == "c" and r in varied:
            raise errors.NotDifferentiable(
                "complex numbers cannot be differentiated",
                op.loc,
                "compute with real and imaginary parts",
            )


def _loop_links(op: core.For | core.While) -> list[tuple[Value, list[Value], Value, Value]]:
    """(init, parameters, yielded, result) of every carried value."""
    conds = op.cond.params if isinstance(op, core.While) else [None] * len(op.results)
    return [
        (init, [p for p in (param, cond) if p is not None], y, r)
        for init, param, cond, y, r in zip(
            op.inits, op.carried, conds, op.body.yields, op.results, strict=False
        )
    ]


def _varied(fn: Function, sources: Iterable[Value]) -> set[Value]:
    varied = set(sources)

    def block(b: Block) -> None:
        for op in b.ops:
            visit(op)

    def mark(values: Iterable[Value]) -> bool:
        new = [v for v in values if v not in varied and carries_derivative(v.type)]
        varied.update(new)
        return bool(new)

    def visit(op: Op) -> None:
        match op:
            case core.For() | core.While():
                loop(op)
            case core.If() | core.Scope() | core.Try():
                for b in op.blocks:
                    block(b)
                    mark(r for r, y in zip(op.results, b.yields, strict=True) if y in varied)
            case _ if differentiable(op) and any(v in varied for v in op.operands):
                mark(op.results)

    def loop(op: core.For | core.While) -> None:
        if isinstance(op, core.For) and op.over == "seq" and op.operands[0] in varied:
            mark([op.body.params[0]])
        again = True
        while again:
            for init, params, y, r in _loop_links(op):
                if init in varied or y in varied:
                    mark([*params, r])
            block(op.body)
            again = any(
                y in varied and p not in varied and carries_derivative(p.type)
                for _, (p, *_rest), y, _ in _loop_links(op)
            )
        for _, _, y, r in _loop_links(op):
            mark([r] if y in varied else [])

    block(fn.block)
    return varied


def _useful(fn: Function, targets: Iterable[Value]) -> set[Value]:
    useful = set(targets)

    def block(b: Block) -> None:
        for op in reversed(b.ops):
            visit(op)

    def visit(op: Op) -> None:
        match op:
            case core.For() | core.While():
                loop(op)
            case core.If() | core.Scope() | core.Try():
                for b in op.blocks:
                    useful.update(
                        y for r, y in zip(op.results, b.yields, strict=True) if r in useful
                    )
                    block(b)
            case _ if differentiable(op) and any(r in useful for r in op.results):
                useful.update(op.operands[: _values(op)])

    def loop(op: core.For | core.While) -> None:
        again = True
        while again:
            for init, (p, *_), y, r in _loop_links(op):
                if r in useful or p in useful:
                    useful.update((init, y))
            block(op.body)
            again = any(p in useful and y not in useful for _, (p, *_rest), y, _ in _loop_links(op))
        for init, (p, *_), _y, r in _loop_links(op):
            if p in useful:
                useful.update((init, r))
        if isinstance(op, core.For) and op.over == "seq" and op.body.params[0] in useful:
            useful.add(op.operands[0])

    block(fn.block)
    return useful


def _values(op: Op) -> int:
    """How many operands derivatives pass from: an index only says where."""
    return {core.Index: 1, core.Update: 2}.get(type(op), len(op.operands))
