"""Derivatives inside a program: `grad(f)(x)` where it is called.

The function that is differentiated is lowered as one of its own, for the types that go in (what it
sees of enclosing functions becomes parameters, as in `recursion`), differentiated there, and what
comes out is laid down at the call: ordinary ops, which the next differentiation takes as any
others. As at the outermost level, a derivative changes nothing: what the function writes into its
arguments stays its own.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gast

from adcompile.bound import BoundDerivative
from adcompile.errors import AdcompileError, AliasError
from adcompile.frontend import calls, joins, objects, prune, recursion, ruled, subscripts
from adcompile.frontend.context import Context
from adcompile.frontend.operands import Bound, Closure, Known, NewObj, Obj, Operand, Tup
from adcompile.frontend.scopes import Frame
from adcompile.frontend.source import loc_of, unwrapped
from adcompile.frontend.wanted import NeedStatic
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.clone import inline
from adcompile.ir.core import Block, Function, Param, Value
from adcompile.ir.types import Array, Tree, Undefined, scalar_kind
from adcompile.modes import CHAINS, Derived, Grad, Mode
from adcompile.modes.base import Given
from adcompile.modes.unpacking import adapted
from adcompile.wrt import check_real_type

_SEALED = "it belongs to the function around a derivative, which is taken without side effects"


@dataclass(eq=False, slots=True)
class Derivation:
    """A derivative of a function of the program, not called yet."""

    mode: Mode
    inner: Operand | Derivation


def make(
    cx: Context, node: gast.AST, fn: Any, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand:
    """`grad(f)`, `jvp(f, wrt=…)`, … or, without a function, the decorator."""
    options = {k: _option(cx, node, x) for k, x in kwargs.items() if k != "f"}
    function = kwargs.get("f", args[0] if args else Known(None))
    positional = [_option(cx, node, x) for x in args[1:]]
    try:
        modes = CHAINS[fn](*positional, **options)
    except TypeError as e:
        cx.mismatch(f"{fn.__name__}: {str(e).partition('() ')[2] or e}", node)
    except AdcompileError as e:
        raise _located(e, node) from None
    if isinstance(function, Known) and function.value is None:
        return _action(lambda cx, node, args, kwargs: _chained(cx, node, args[0], modes))
    return _chained(cx, node, function, modes)


def _option(cx: Context, node: gast.AST, x: Operand) -> Any:
    """An option as a Python object; of `wrt` also a tuple or list of them."""
    if isinstance(x, Tup | Obj):
        return tuple([_option(cx, node, i) for i in subscripts.known_layout(cx, x, node).items])
    return cx.static(x, node)


def _located(e: AdcompileError, node: gast.AST) -> AdcompileError:
    """`e` as an error of the program at `node`, unless it is one already."""
    return e if e.loc is not None else type(e)(e.message, loc_of(node), e.hint)


def _chained(cx: Context, node: gast.AST, function: Operand, modes: tuple[Mode, ...]) -> Operand:
    inner = _inner(cx, node, function)
    for mode in modes[:-1]:
        inner = Derivation(_bound(mode, inner, node), inner)
    made = Derivation(_bound(modes[-1], inner, node), inner)
    return _action(lambda cx, node, args, kwargs: call(cx, node, made, args, kwargs), made)


def _action(run: Callable[..., Operand], of: Any = None, kind: str = "derivative") -> Operand:
    return objects.Action(run, of, kind)  # type: ignore[return-value]


def _inner(cx: Context, node: gast.AST, x: Operand) -> Operand | Derivation:
    """What is differentiated: a function of the program, or a derivative."""
    match x:
        case objects.Action(of=Derivation()):
            return x.of
        case Known(Derived() | BoundDerivative()):
            return _of_object(cx, node, x.value)
        case Known(types.FunctionType() | functools._lru_cache_wrapper()):
            return calls.closure_of(cx, unwrapped(x.value), node)
        case Known(types.MethodType()) if isinstance(x.value.__func__, types.FunctionType):
            receiver = calls.default(cx, Known(x.value.__self__), node)
            return calls.closure_of(cx, x.value.__func__, node, receiver)
        case Closure():
            _check_parameters(cx, node, x)
            return x
    what, hint = joins.describe_operand(x), None
    if isinstance(x, Known) and callable(x.value) and hasattr(x.value, "__name__"):
        what = f"`{x.value.__name__}`"
        hint = "wrap it in a Python function: `lambda x: f(x)`"
    cx.mismatch(f"{what} has no Python source that could be differentiated", node, hint)


def _check_parameters(cx: Context, node: gast.AST, fn: Closure) -> None:
    """Refuse a function that only hands on its arguments, whatever they are."""
    if any("$" in p.id for p in (fn.code.args.vararg, fn.code.args.kwarg) if p is not None):
        cx.mismatch(
            "what `functools.partial` makes has no parameters to differentiate with respect to",
            node,
            "write a lambda or a def that calls the function with the fixed arguments",
        )


def _of_object(
    cx: Context, node: gast.AST, f: Any, receiver: Operand | None = None
) -> Operand | Derivation:
    """A derivative that was made outside of the program; of a method, with its object."""
    if isinstance(f, BoundDerivative):
        return _of_object(cx, node, f.of, calls.default(cx, Known(f.__self__), node))
    if f.state is not None:
        cx.unsupported(f.state[0], node, f.state[1])
    if isinstance(f.inner, Derived):
        return Derivation(f.mode, _of_object(cx, node, f.inner, receiver))
    if receiver is not None:
        return Derivation(f.mode, calls.closure_of(cx, f.inner, node, receiver))
    return Derivation(f.mode, _inner(cx, node, Known(f.inner)))


def _bound(mode: Mode, inner: Operand | Derivation, node: gast.AST) -> Mode:
    try:
        return mode.bound(_signature(inner), "the function")
    except AdcompileError as e:
        raise _located(e, node) from None


def _signature(inner: Operand | Derivation) -> inspect.Signature:
    if isinstance(inner, Derivation):
        return inner.mode.signature(_signature(inner.inner))
    assert isinstance(inner, Closure)
    a, kinds = inner.code.args, inspect.Parameter
    skipped = inner.receiver is not None
    found = [kinds(p.id, kinds.POSITIONAL_ONLY) for p in a.posonlyargs]
    found += [kinds(p.id, kinds.POSITIONAL_OR_KEYWORD) for p in a.args]
    found = found[skipped:]
    found += [kinds(a.vararg.id, kinds.VAR_POSITIONAL)] if a.vararg else []
    found += [kinds(p.id, kinds.KEYWORD_ONLY) for p in a.kwonlyargs]
    found += [kinds(a.kwarg.id, kinds.VAR_KEYWORD)] if a.kwarg else []
    return inspect.Signature(found)


# --- calls --------------------------------------------------------------------------------------


def call_object(
    cx: Context, node: gast.AST, f: Any, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand:
    """A call of a derivative that was made outside of the program."""
    made = _of_object(cx, node, f)
    assert isinstance(made, Derivation)
    return call(cx, node, made, args, kwargs)


def of_member(cx: Context, node: gast.AST, f: Any, receiver: Operand) -> Operand:
    """A derivative of a method, read of an object of the program."""
    made = _of_object(cx, node, f, receiver)
    assert isinstance(made, Derivation)
    return _action(lambda cx, node, args, kwargs: call(cx, node, made, args, kwargs), made)


def call(
    cx: Context,
    node: gast.AST,
    made: Derivation,
    args: list[Operand],
    kwargs: dict[str, Operand],
) -> Operand:
    """Lay down the derivative where it is called."""
    from adcompile import pipeline  # which lowers functions itself

    fn, values = _derived(cx, node, made, args, kwargs)
    pipeline.hand_over(fn)
    results = _laid_down(cx.here(node), fn, [values[p.name] for p in fn.params])
    if isinstance(made.mode, Grad):
        _fit(made.mode, results, values)
    return _results(cx, results)


def _fit(mode: Grad, results: list[Value], values: dict[str, Value]) -> None:
    """Note that gradients are of the sizes of what they belong to."""
    grads = results[mode.with_value]
    parts = grads.owner.operands if isinstance(grads.owner, core.Make) else []
    work = [(d, values[k].type) for k, d in zip(mode.names, parts if mode.as_tuple else [grads])]
    while work:
        d, t = work.pop()
        if isinstance(d.owner, core.Make) and isinstance(t, Tree):
            work += zip(d.owner.operands, t.items, strict=True)
        elif isinstance(d.owner, core.Op) and d.owner.order and isinstance(d.type, Array):
            d.type = t


def _laid_down(b: Builder, fn: Function, args: list[Value]) -> list[Value]:
    """The results of `fn`, whose ops now stand here.

    What it takes out of trees that were made for the call is what went into them.
    """
    first = len(b.block.ops)
    results = inline(b, fn, args, relocate=False)
    laid = Block([], b.block.ops[first:])
    parts: dict[Value, Value] = {}
    for block in core.walk_blocks(laid):
        for op in block.ops:
            if isinstance(op, core.Item | core.Unpack):
                _take_out(op, parts)
        block.ops[:] = [op for op in block.ops if not op.results or op.results[0] not in parts]
    core.substitute(laid, parts)
    b.block.ops[first:] = laid.ops
    return [parts.get(r, r) for r in results]


def _take_out(op: core.Item | core.Unpack, parts: dict[Value, Value]) -> None:
    tree = parts.get(op.operands[0], op.operands[0])
    if not isinstance(tree.owner, core.Make):
        return
    assert isinstance(tree.type, Tree)
    keys = (op.key,) if isinstance(op, core.Item) else tree.type.keys
    for key, r in zip(keys, op.results, strict=True):
        parts[r] = v = tree.owner.operands[tree.type.keys.index(key)]
        v.name = v.name or r.name


def _results(cx: Context, results: list[Value]) -> Operand:
    """What a derivative returns, as operands."""
    found = [
        _pullback(cx, r.owner, results[0]) if isinstance(r.owner, core.Partial) else _result(cx, r)
        for r in results
    ]
    return found[0] if len(found) == 1 else Tup(tuple, tuple(range(len(found))), tuple(found))


def _result(cx: Context, r: Value) -> Operand:
    if isinstance(r.owner, core.Make):
        t = r.type
        assert isinstance(t, Tree)
        made = Tup(t.node, t.keys, tuple([_result(cx, v) for v in r.owner.operands]))
        if issubclass(t.node, tuple):
            return made
        fresh = Obj(t.node)
        cx.store.set(fresh, made)
        return fresh
    return subscripts.unwrapped(r)


def _pullback(cx: Context, op: core.Partial, value: Value) -> Operand:
    """What a VJP returns with `value`: called, it lays down the backward half."""
    cx.builder.block.ops.remove(op)  # nothing is left to be done by it

    def run(
        cx: Context, node: gast.AST, args: list[Operand], kwargs: dict[str, Operand]
    ) -> Operand:
        if len(args) != 1 or kwargs:
            cx.mismatch("a pullback takes one argument, the cotangent of the value", node)
        given, b = cx.value(args[0], node), cx.here(node)
        try:
            seed = adapted(b, value, given, "cotangent")
        except AdcompileError as e:
            raise _located(e, node) from None
        return _results(cx, _laid_down(b, op.callee, [seed, *op.operands]))

    return _action(run, kind="pullback")


def _derived(
    cx: Context,
    node: gast.AST,
    made: Derivation,
    args: list[Operand],
    kwargs: dict[str, Operand],
) -> tuple[Function, dict[str, Value]]:
    """The SSA of a derivative, and what goes into its parameters, by name."""
    from adcompile import pipeline

    mode, inner = made.mode, made.inner
    names = mode.signature(_signature(inner))
    inner_args, inner_kwargs = mode.inner_arguments(
        args, kwargs, lambda x: _unpacked(cx, node, mode, x)
    )
    if isinstance(inner, Derivation):
        fn, values = _derived(cx, node, inner, inner_args, inner_kwargs)
        pipeline.again(fn)
    else:
        assert isinstance(inner, Closure)
        fn, values = _lowered(cx, node, inner, inner_args, inner_kwargs, mode)
    own = {} if mode.names_kept else _packed(cx, node, names, args, kwargs)
    packed = isinstance(inner, Derivation) and not inner.mode.names_kept
    for name in mode.names:
        if name in values:
            check_real_type(values[name].type, name, loc_of(node), mode.noun, packed)
    positional = [v.type for name, v in own.items() if name in names.parameters]
    named = {k: cx.value(x, node).type for k, x in inner_kwargs.items()}
    try:
        fn = pipeline.derive(mode, fn, Given(positional, named, _signature(inner)))
    except AdcompileError as e:
        raise _located(e, node) from None
    return fn, values | own


def _unpacked(cx: Context, node: gast.AST, mode: Mode, x: Operand) -> list[Operand]:
    """The arguments in a tuple of them."""
    if not isinstance(x, Tup | Obj):
        try:
            mode.unpacked(cx.value(x, node).type)
        except AdcompileError as e:
            raise _located(e, node) from None
    return list(subscripts.known_layout(cx, x, node).items)


def _packed(
    cx: Context,
    node: gast.AST,
    names: inspect.Signature,
    args: list[Operand],
    kwargs: dict[str, Operand],
) -> dict[str, Value]:
    """The arguments of a derivative that takes them packed."""
    first, second, rest = names.parameters
    given = dict(zip((first, second), args, strict=False))
    extra: dict[str, Operand] = {}
    for name, x in kwargs.items():
        (given if name in (first, second) else extra)[name] = x
    if len(args) > 2 or len(given) < 2:
        cx.mismatch(f"a call takes `{first}` and `{second}`", node)
    made = {name: cx.value(given[name], node) for name in (first, second)}
    if extra:
        made[rest] = cx.value(Tup(dict, tuple(extra), tuple(extra.values())), node)
    return made


# --- the function that is differentiated --------------------------------------------------------


def _lowered(
    cx: Context,
    node: gast.AST,
    fn: Closure,
    args: list[Operand],
    kwargs: dict[str, Operand],
    mode: Mode,
) -> tuple[Function, dict[str, Value]]:
    """`fn` as a function of its own for these arguments, and these by parameter."""
    if fn.receiver is not None:
        args = [fn.receiver, *args]
    bound = calls.bind(cx, node, fn, args, kwargs)
    while True:
        try:
            return _lower(cx, node, fn, bound)
        except NeedStatic as need:
            bound = _with_static(cx, node, bound, need)


def _with_static(
    cx: Context, node: gast.AST, bound: dict[str, Operand], need: NeedStatic
) -> dict[str, Operand]:
    """The arguments with one known by its value, which decides a type."""
    name, *keys = need.path
    if name not in bound:  # a global
        raise need
    return {**bound, name: _known_at(cx, node, bound[name], keys)}


def _known_at(cx: Context, node: gast.AST, x: Operand, keys: list[Any]) -> Operand:
    if not keys:
        return Known(cx.static(x, node))
    layout = subscripts.known_layout(cx, x, node)
    item = subscripts.child(cx, x, keys[0], node)
    return layout.replaced(keys[0], _known_at(cx, node, item, keys[1:]))


def _lower(
    cx: Context, node: gast.AST, fn: Closure, bound: dict[str, Operand]
) -> tuple[Function, dict[str, Value]]:
    block, frame = Block(), Frame(fn.code, fn.parent, fn.function, (cx.frame.path, id(node)))
    inner = Context(Builder(block, loc_of(fn.code.node)), frame, cx.evaluate, cx.execute, cx.module)
    params: list[Param] = []
    values: dict[str, Value] = {}
    for name, x in bound.items():
        inner.store.set(frame.cell(name), _passed(cx, inner, node, name, x, params, values))
    _capture(cx, inner, fn, node, params, values)
    given = [name for name, x in bound.items() if x is not fn.defaults.get(name)]
    passed = {name: inner.store.get(frame.cell(name)) for name in given}
    own = ruled.body(inner, fn.code.node, fn.function, passed) if fn.function is not None else None
    result = calls.body(inner, fn.code.body) if own is None else own
    end = inner.returned or fn.code.node
    v = inner.here(end).undef() if inner.dead else inner.value(result, end)
    if isinstance(v.type, Undefined) and not inner.dead:
        cx.unsupported(
            "the derivative of a function that calls itself only through its own derivative", node
        )
    inner.here(end).return_(v)
    inner.check_bottoms()
    made = Function(fn.code.name, block, params, None, loc_of(fn.code.node))
    _check_apart(cx, node, made, inner, values)
    prune.run(made)
    return made, values


def _passed(
    cx: Context,
    inner: Context,
    node: gast.AST,
    name: str,
    x: Operand,
    params: list[Param],
    values: dict[str, Value],
) -> Operand:
    """What the parameter `name` is inside: a value of its own, or what is known of it."""
    if isinstance(x, Closure | Bound | objects.Action) or _is_no_number(x):
        return x
    if isinstance(x, Tup) and any(_is_known_part(i) for i in x.items):
        parts = [
            _passed(cx, inner, node, f"{name}_{key}", item, params, values)
            for key, item in zip(x.keys, x.items, strict=True)
        ]
        return Tup(x.node, x.keys, tuple(parts))
    v = cx.value(x, node)
    p = Value(v.type, name, inner.builder.block)
    inner.builder.block.params.append(p)
    params.append(Param(name))
    inner.parameters[p] = name
    if v in cx.boxed:
        inner.boxed.add(p)
    values[name] = v
    return p


def _is_no_number(x: Operand) -> bool:
    return isinstance(x, Known) and scalar_kind(x.value) is None and not isinstance(x.value, tuple)


def _is_known_part(x: Operand) -> bool:
    return isinstance(x, Closure | Bound | objects.Action) or _is_no_number(x)


def _capture(
    cx: Context,
    inner: Context,
    fn: Closure,
    node: gast.AST,
    params: list[Param],
    values: dict[str, Value],
) -> None:
    """What `fn` sees of the functions around it: parameters, which it may not write."""
    block = inner.builder.block
    for cell, template in recursion.captures(cx, fn).items():
        x = cx.store.get(cell)
        passed = joins.flatten(x, template, cx.here(node), cx.store.get, cx.heap.materialise)
        own = []
        for slot, v in zip(joins.slots_in(template), passed, strict=True):
            name = recursion.fresh(slot.name or cell.name, {p.name for p in params})
            p = Value(v.type, name, block)
            block.params.append(p)
            params.append(Param(name))
            values[name] = v
            inner.parameters[p] = name
            inner.heap.seal(p, f"`{cell.name}` cannot be written: {_SEALED}")
            own.append(p)
        sealed = _frozen(template)
        inner.store.set(cell, joins.instantiate(sealed, iter(own), inner.store.set, {}))


def _frozen(t: Operand) -> Operand:
    match t:
        case Tup(node, keys, items):
            return Tup(node, keys, tuple(map(_frozen, items)))
        case NewObj(node, contents):
            return NewObj(node, _frozen(contents), _SEALED)
    return t


def _check_apart(
    cx: Context, node: gast.AST, fn: Function, inner: Context, values: dict[str, Value]
) -> None:
    """Refuse a function that writes into an argument which may share memory with another one."""
    given = list(values.values())
    for k, p in enumerate(fn.block.params):
        if p not in inner.store.now:
            continue
        for other in (*given[:k], *given[k + 1 :]):
            if recursion.may_share(cx, given[k], other):
                raise AliasError(
                    f"{fn.name} writes into `{p.name}`, which may share memory with another "
                    "argument",
                    loc_of(node),
                    "pass a copy: `x.copy()`",
                )
