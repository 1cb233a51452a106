"""Running the IR itself: the oracle that generated code is compared with.

One function for each kind of op says what the op means. A leaf reads its operands and gives its
results. An op with blocks is a generator that hands over one block after the other to be run and
gets back what that block yields; a driver with a stack of its own runs them all, so that neither
nesting nor recursion of the program is bounded by Python's. Inputs are never changed (`Update`
copies), except by `Write`, which is there to do so.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np

from adcompile.errors import NumericsError
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Op, Slice, Value
from adcompile.ir.identities import Alias, Hook
from adcompile.ir.types import Tree
from adcompile.runtime import instance


class _Undefined:
    def __repr__(self) -> str:
        return "UNDEF"


UNDEF = _Undefined()  # what `Undef` gives: it is handed on, never computed with

Leaf = Callable[[Any, list[Any]], Sequence[Any]]  # what an op makes of the values of its operands
Observe = Callable[[Leaf, Op, list[Any], "Env"], Sequence[Any]]
Steps = Generator["Steps", list[Any], list[Any]]  # asks for others to be run; returns values


class Env(dict[Value, Any]):
    """What the values are in one activation of a function."""

    def __init__(self, observe: Observe | None = None):
        self.observe = observe
        self.trips: dict[Op, int] = {}  # of the loops around, outermost first: which iteration


def run(fn: Function, *args: Any, observe: Observe | None = None) -> Any:
    """The result of `fn` on one object a parameter; a tuple where it returns several.

    `observe`, where there is one, runs each leaf.
    """
    if len(args) != len(fn.block.params):
        raise TypeError(f"{fn.name} takes {len(fn.block.params)} arguments, not {len(args)}")
    results = _drive(_block(fn.block, args, Env(observe)))
    return results[0] if len(results) == 1 else tuple(results)


def _drive(main: Steps) -> list[Any]:
    """Run `main` and all that it asks for; an exception passes through all that it is inside of."""
    stack = [main]
    resume: Callable[[Steps], Steps] = next
    while True:
        try:
            inner = resume(stack[-1])
        except StopIteration as stop:
            stack.pop()
            if not stack:
                return stop.value
            resume = operator.methodcaller("send", stop.value)
        except BaseException as error:
            stack.pop()
            if not stack:
                raise
            resume = operator.methodcaller("throw", error)
        else:
            stack.append(inner)
            resume = next


def _block(block: Block, args: Sequence[Any], env: Env) -> Steps:
    env.update(zip(block.params, args, strict=True))
    for op in block.ops[:-1]:
        values = [env[v] for v in op.operands]
        leaf = _LEAVES.get(type(op))
        if leaf is None:
            results = yield _STRUCTURED[type(op)](op, values, env)
        else:
            results = env.observe(leaf, op, values, env) if env.observe else leaf(op, values)
        env.update(zip(op.results, results, strict=True))
    return [env[v] for v in block.yields]


# --- control flow -------------------------------------------------------------------------------


def _if(op: core.If, values: list[Any], env: Env) -> Steps:
    return (yield _block(op.then if _defined(op, values)[0] else op.orelse, (), env))


def _for(op: core.For, values: list[Any], env: Env) -> Steps:
    heads, carried = _defined(op, values[: op.heads]), values[op.heads :]
    items = range(*heads) if op.over == "range" else heads[0]
    with _trips(op, env):
        for k, item in enumerate(reversed(items) if op.reverse else items):
            env.trips[op] = len(items) - 1 - k if op.reverse else k
            carried = yield _block(op.body, [item, *carried], env)
            if op.stops and carried.pop():
                break
    return carried


def _while(op: core.While, values: list[Any], env: Env) -> Steps:
    carried = values
    with _trips(op, env):
        while (yield _block(op.cond, carried, env))[0]:
            carried = yield _block(op.body, carried, env)
            if op.stops and carried.pop():
                break
            env.trips[op] += 1
    return carried


@contextmanager
def _trips(loop: Op, env: Env) -> Iterator[None]:
    """Count the iterations of a loop while it runs."""
    env.trips[loop] = 0
    try:
        yield
    finally:
        del env.trips[loop]


def _scope(op: core.Scope, values: list[Any], env: Env) -> Steps:
    with values[0] if values else nullcontext() as entered:
        return (yield _block(op.body, (entered,)[: len(op.body.params)], env))


def _try(op: core.Try, values: list[Any], env: Env) -> Steps:
    try:
        return (yield _block(op.body, (), env))
    except NumericsError:
        raise  # it is about the program, which must not handle it
    except tuple(values) as error:
        caught = error
    return (yield _block(op.handler, (caught,), env))


def _invoke(op: core.Invoke, values: list[Any], env: Env) -> Steps:
    return (yield _block(op.callee.block, values, Env(env.observe)))


# --- leaves -------------------------------------------------------------------------------------


def _defined(op: Op, values: list[Any]) -> list[Any]:
    if any(v is UNDEF for v in values):
        name = op.operands[next(k for k, v in enumerate(values) if v is UNDEF)].name
        raise UnboundLocalError(
            f"{name or 'a value'} is used but has none yet (line {op.loc.line})"
        )
    return values


def _call(op: core.Call, values: list[Any]) -> Sequence[Any]:
    values = _defined(op, values)
    plain = len(values) - len(op.keywords)
    result = op.fn(*values[:plain], **dict(zip(op.keywords, values[plain:], strict=True)))
    if len(op.results) == 1:
        return (result,)
    return tuple(result) if op.results else ()


def subscript(spec: core.Spec, values: Sequence[Any]) -> Any:
    """The index that `spec` and the values of its operands describe."""
    rest = iter(values)
    entries = []
    for entry in spec:
        if isinstance(entry, Slice):
            bounds = (next(rest) if e else None for e in (entry.start, entry.stop, entry.step))
            entries.append(slice(*bounds))
        else:
            entries.append(next(rest) if entry == "value" else entry)
    return entries[0] if len(entries) == 1 else tuple(entries)


def _index(op: core.Index, values: list[Any]) -> Sequence[Any]:
    x, *at = _defined(op, values)
    return (x[subscript(op.spec, at)],)


_INPLACE: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.iadd,
    "-": operator.isub,
    "*": operator.imul,
    "/": operator.itruediv,
    "//": operator.ifloordiv,
    "%": operator.imod,
    "**": operator.ipow,
    "@": operator.imatmul,
    "&": operator.iand,
    "|": operator.ior,
    "^": operator.ixor,
    "<<": operator.ilshift,
    ">>": operator.irshift,
}


def _update(op: core.Update, values: list[Any]) -> Sequence[Any]:
    x, v, *rest = _defined(op, values)
    new: Any = list(x) if isinstance(x, list) else np.array(x)
    target = new
    for step in op.views:
        count = core.operand_count(step)
        target = _view(target, step, rest[:count])
        rest = rest[count:]
    where = subscript(op.spec, rest)
    if op.mode == "=":
        target[where] = v
    elif op.mode == "add.at":
        np.add.at(target, where, v)
    else:
        # A row of the copy may be a view of the input (a list of arrays): it must be left alone.
        old = target[where]
        target[where] = _INPLACE[op.mode](old.copy() if isinstance(old, np.ndarray) else old, v)
    return (new,)


def _view(x: Any, step: core.Step, values: list[Any]) -> Any:
    if not isinstance(step, core.ViewCall):
        return x[subscript(step, values)]
    plain = len(values) - len(step.keywords)
    named = dict(zip(step.keywords, values[plain:], strict=True))
    return step.fn(x, *values[:plain], **named)


def _make(op: core.Make, values: list[Any]) -> Sequence[Any]:
    tree = op.result.type
    assert isinstance(tree, Tree)
    node: Any = tree.node
    if hasattr(node, "_make"):  # a named tuple
        return (node._make(values),)
    if issubclass(node, tuple | list):
        return (node(values),)
    if issubclass(node, dict):
        return (node(zip(tree.keys, values, strict=True)),)
    return (instance(node, **dict(zip(map(str, tree.keys), values, strict=True))),)


def _item(op: core.Item, values: list[Any]) -> Sequence[Any]:
    (tree,) = _defined(op, values)
    key: Any = op.key
    by_name = hasattr(tree, "_fields") or not isinstance(tree, tuple | list | dict)
    return (getattr(tree, str(key)) if by_name else tree[key],)


def _assert(op: core.Assert, values: list[Any]) -> Sequence[Any]:
    condition, *message = _defined(op, values)
    if not condition:
        raise AssertionError(*message)
    return ()


def _raise(op: core.Raise, values: list[Any]) -> Sequence[Any]:
    error, *cause = _defined(op, values)
    if cause:
        raise error from cause[0]
    raise error


def _write(op: core.Write, values: list[Any]) -> Sequence[Any]:
    array, value = _defined(op, values)
    array[...] = value
    return (array,)


_LEAVES: dict[type[Op], Leaf] = {
    core.Const: lambda op, values: (op.value,),
    core.Global: lambda op, values: (op.source.read(),),
    core.Undef: lambda op, values: (UNDEF,),
    core.Call: _call,
    core.Index: _index,
    core.Update: _update,
    core.Make: _make,
    core.Item: _item,
    core.Unpack: lambda op, values: tuple(_defined(op, values)[0]),
    core.NewSeq: lambda op, values: (values,),
    core.Append: lambda op, values: ([*_defined(op, values[:1])[0], values[1]],),
    core.Pop: lambda op, values: (values[0][:-1], values[0][-1]),
    core.Assert: _assert,
    core.Raise: _raise,
    core.Write: _write,
    Alias: lambda op, values: values,
    Hook: lambda op, values: values[:1],
    core.Partial: lambda op, values: (lambda *ds: run(op.callee, *ds, *values),),
}

_STRUCTURED: dict[type[Op], Callable[[Any, list[Any], Env], Steps]] = {
    core.If: _if,
    core.For: _for,
    core.While: _while,
    core.Scope: _scope,
    core.Try: _try,
    core.Invoke: _invoke,
}
