"""Calls: what is called, how its arguments bind, and how a Python function is inlined.

A Python function with source is lowered where it is called, with its own locations. One that comes
back to itself with arguments of the same types becomes a function of its own (`recursion`).
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import gast
import numpy as np

from adcompile import classes
from adcompile.bound import BoundDerivative
from adcompile.classes import is_hashable
from adcompile.errors import MissingRule, SourceUnavailable
from adcompile.frontend import (
    acts,
    array_likes,
    attributes,
    bases,
    builtin_calls,
    construct,
    containers,
    derivatives,
    draws,
    expressions,
    fold,
    joins,
    members,
    objects,
    overloads,
    recursion,
    ruled,
    structures,
    subscripts,
    texts,
    vectorized,
    writes,
)
from adcompile.frontend.context import Context, leaf_types
from adcompile.frontend.functions import code_of
from adcompile.frontend.handlers import INTRINSICS
from adcompile.frontend.heap import is_reference
from adcompile.frontend.operands import (
    Bound,
    Closure,
    Known,
    Obj,
    Operand,
    Tup,
    Unbound,
    is_bottom,
)
from adcompile.frontend.scopes import Frame, Outside
from adcompile.frontend.source import loc_of
from adcompile.ir.core import MISSING, GlobalRef, Value
from adcompile.ir.infer import infer_call
from adcompile.ir.types import Array, Opaque, Scalar, Seq, Tree, TypeClash, is_inexact, scalar_kind
from adcompile.modes import CHAINS, Derived

RESULT = "$result"  # the variable of a frame that holds what it returns
LIBRARIES = ("numpy", "scipy", "math", "cmath", "operator", "_operator", "builtins")


def call_node(cx: Context, node: gast.Call) -> Operand:
    fn = expressions.evaluate(cx, node.func)
    return call(cx, node, fn, *arguments(cx, node))


def arguments(cx: Context, node: gast.Call) -> tuple[list[Operand], dict[str, Operand]]:
    """What a call passes, by position and by name."""
    args = expressions.elements(cx, node.args)
    kwargs: dict[str, Operand] = {}
    for k in node.keywords:
        x = expressions.evaluate(cx, k.value)
        if k.arg is not None:
            _keyword(cx, kwargs, k.arg, x, node)
            continue
        spread = subscripts.known_layout(cx, x, k.value)
        if spread.node is not dict:
            cx.mismatch(
                f"the argument after `**` must be a dict, not a {spread.node.__name__}", node
            )
        for name, item in zip(spread.keys, spread.items, strict=True):
            _keyword(cx, kwargs, str(name), item, node)
    return args, kwargs


def _keyword(
    cx: Context, kwargs: dict[str, Operand], name: str, x: Operand, node: gast.AST
) -> None:
    if name in kwargs:
        cx.mismatch(f"the keyword argument `{name}` is given twice", node)
    kwargs[name] = x


def call(
    cx: Context, node: gast.AST, fn: Operand, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand:
    """`fn(*args, **kwargs)`."""
    if is_bottom(fn):
        return cx.bottom(node)
    match fn:
        case Known(value):
            return _call_known(cx, node, value, args, kwargs)
        case Closure(function=function) if function is not None and ruled.has_rule(function):
            own = [] if fn.receiver is None else [fn.receiver]
            return ruled.call(cx, node, function, [*own, *args], kwargs)
        case Closure():
            return inline(cx, node, fn, args, kwargs)
        case Bound():
            return _call_bound(cx, node, fn, args, kwargs)
        case objects.Action():
            return fn.run(cx, node, args, kwargs)
        case Value(type=Opaque(cls)) if callable(getattr(cls, "__call__", None)):  # noqa: B004
            return cx.emit(
                node, operator_call, [fn, *args], kwargs, effect=True, types=[Opaque(object)]
            )
    method = objects.special(cx, fn, "__call__", node)
    if method is not None:
        return call(cx, node, method, args, kwargs)
    cx.mismatch(f"{joins.describe_operand(fn)} cannot be called", node)


def operator_call(fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call an object that is known at run time only."""
    return fn(*args, **kwargs)


def _call_known(
    cx: Context, node: gast.AST, fn: Any, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand:
    if not callable(fn):
        cx.mismatch(f"{joins.describe_operand(Known(fn))} cannot be called", node)
    for way in (_handled, _by_own_rule, _folded, _by_kind):
        found = way(cx, node, fn, args, kwargs)
        if found is not None:
            return found
    if any(map(is_bottom, (*args, *kwargs.values()))) and not isinstance(fn, types.FunctionType):
        return cx.bottom(node)
    written = writes.by_function(cx, node, fn, args, kwargs)
    if written is not None:
        return written
    module = package_of(fn)
    if acts.is_act(fn, module):
        return acts.call(cx, node, fn, args, kwargs)
    if isinstance(fn, type):
        return construct.construct(cx, node, fn, args, kwargs)
    if module not in LIBRARIES and isinstance(fn, types.FunctionType | types.MethodType):
        found = _python(cx, node, fn, args, kwargs)
        if found is not None:
            return found
    refuse_functions(cx, node, fn, (*args, *kwargs.values()))
    if module == "numpy":
        args, kwargs = array_likes.arguments(cx, node, fn, args, kwargs)
    return cx.emit(node, fn, args, kwargs)


def _by_own_rule(
    cx: Context, node: gast.AST, fn: Any, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand | None:
    """A call of a function of the user's that has a rule."""
    return ruled.call(cx, node, fn, args, kwargs) if ruled.has_rule(fn) else None


def package_of(fn: Any) -> str:
    """The package that `fn` comes from; "" for what is made in a namespace without a name."""
    module = (getattr(fn, "__module__", None) or type(fn).__module__).partition(".")[0]
    return "" if module == "builtins" and isinstance(fn, types.FunctionType) else module


def _handled(
    cx: Context, node: gast.AST, fn: Any, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand | None:
    """A call of what stands in a table, or of a builtin that an object says itself what it does."""
    if not is_hashable(fn):
        return None
    own = (structures.HANDLERS, INTRINSICS)
    tables = (construct.HANDLERS, objects.HANDLERS, bases.HANDLERS, vectorized.HANDLERS, *own)
    if isinstance(fn, Derived | BoundDerivative):
        return derivatives.call_object(cx, node, fn, args, kwargs)
    if fn in CHAINS:
        return derivatives.make(cx, node, fn, args, kwargs)
    handler = next((table[fn] for table in tables if fn in table), None)
    handler = handler or builtin_calls.handler_of(fn)
    if fn in draws.MAKERS:
        return draws.make(cx, node, fn, draws.MAKERS[fn], args, kwargs)
    overloaded = overloads.builtin(cx, fn, args, kwargs, node)
    if overloaded is not None or handler is None:
        return overloaded
    return handler(cx, node, args, kwargs)


def _folded(
    cx: Context, node: gast.AST, fn: Any, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand | None:
    """A call whose result is known now."""
    folded = fold.call(cx, fn, args, kwargs)
    if folded is not None:
        return folded
    number = fold.integer(cx, fn, args, kwargs)
    if number is MISSING or isinstance(number, Known):
        return None if number is MISSING else number
    made = cx.emit(node, fn, args, kwargs)  # of numbers as written, which stay
    if isinstance(made, Value):
        cx.folded[made] = number
    return made


def _by_kind(
    cx: Context, node: gast.AST, fn: Any, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand | None:
    """A method of a string or a generator of random numbers; a cached or vectorized function."""
    owner = getattr(fn, "__self__", None)
    if isinstance(owner, str):
        return texts.method(cx, node, Known(owner), fn.__name__, args, kwargs)
    if isinstance(owner, draws.GENERATORS):
        return draws.draw(cx, node, fn, None, args, kwargs)
    if isinstance(fn, functools._lru_cache_wrapper):
        return cached(cx, node, fn, args, kwargs)
    if isinstance(fn, np.vectorize):
        return vectorized.call(cx, node, vectorized.of_object(fn), args, kwargs)
    return None


def _python(
    cx: Context,
    node: gast.AST,
    fn: types.FunctionType | types.MethodType,
    args: list[Operand],
    kwargs: dict[str, Operand],
) -> Operand | None:
    """A call of a function or method with Python source is inlined."""
    if isinstance(fn, types.FunctionType):
        try:
            closure = closure_of(cx, fn, node)
        except SourceUnavailable:
            return _opaque(cx, node, fn, args, kwargs)
        return inline(cx, node, closure, args, kwargs)
    if not isinstance(fn.__func__, types.FunctionType):
        return None
    receiver: Operand = Known(fn.__self__)
    if not isinstance(fn.__self__, type):
        receiver = default(cx, receiver, node)
    return inline(cx, node, closure_of(cx, fn.__func__, node, receiver), args, kwargs)


def refuse_functions(cx: Context, node: gast.AST, fn: Any, operands: tuple[Operand, ...]) -> None:
    """What a library does with a function of the program is not known."""
    if any(isinstance(x, Closure) and x.parent is not None for x in operands):
        name = getattr(fn, "__name__", str(fn))
        raise MissingRule(
            f"no derivative is known for `{name}`, which is given a function",
            loc_of(node),
            f"give a rule for `{name}`, or call it outside and pass its result",
        )


def is_typed(fn: Any, operands: list[Value], named: dict[str, Value]) -> bool:
    """Whether `infer` knows what `fn` returns (or that the call is wrong)."""
    try:
        return infer_call(fn, operands, named) != Opaque(object)
    except TypeClash:
        return True


def cached(
    cx: Context, node: gast.AST, fn: Any, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand:
    """A function with a cache: called as it is where no derivative can go through it.

    Its body gives the type of its result. With floats that go in it is inlined, without the cache.
    """
    inner = fn.__wrapped__
    if not isinstance(inner, types.FunctionType):
        return _opaque(cx, node, fn, args, kwargs)
    operands = [cx.value(a, node) for a in args]
    named = {k: cx.value(v, node) for k, v in kwargs.items()}
    leaves = [t for v in (*operands, *named.values()) for t in leaf_types(v.type)]
    if any(map(is_inexact, leaves)):
        return inline(cx, node, closure_of(cx, inner, node), args, kwargs)
    found = type_of_body(cx, node, inner, operands, named)
    return cx.emit(node, fn, list(operands), dict(named), types=[found])


def type_of_body(
    cx: Context, node: gast.AST, fn: Any, operands: list[Value], named: dict[str, Value]
) -> Any:
    closure = closure_of(cx, fn, node)
    outer = cx.enter()
    result = inline(cx, node, closure, list(operands), dict(named))
    found = cx.value(result, node).type
    cx.leave(outer)
    return found


def _opaque(
    cx: Context, node: gast.AST, fn: Any, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand:
    """A Python function whose source is not to be had: called as it is, in order, once."""
    return cx.emit(node, fn, args, kwargs, effect=True, types=[Opaque(object)])


# --- methods ------------------------------------------------------------------------------------


def _call_bound(
    cx: Context, node: gast.AST, fn: Bound, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand:
    x, name = fn.receiver, fn.name
    if texts.is_text(x):
        return texts.method(cx, node, x, name, args, kwargs)
    if isinstance(x, Value) and isinstance(x.type, Opaque):
        error = cx.unknown(x, node)
        if error is not None:
            raise error
        method = getattr(x.type.cls, name, None)
        if not callable(method):
            cx.mismatch(f"a {x.type.cls.__name__} has no method `{name}`", node)
        if draws.is_draw(cx, x, name):
            return draws.draw(cx, node, method, x, args, kwargs)
        return cx.emit(
            node,
            method,
            [x, *args],
            kwargs,
            member=f"{name}()",
            effect=True,
            types=[acts.method_type(x.type.cls, name)],
        )
    if isinstance(x, Value) and isinstance(x.type, Array | Scalar):
        if name in writes.METHODS:
            return writes.METHODS[name](cx, node, [x, *args], kwargs)
        target = kwargs.pop("out", None)
        if name in members.VARIADIC and len(args) > 1:
            args = [Tup(tuple, tuple(range(len(args))), tuple(args))]
        if name in ("conj", "conjugate") and _is_real_array(cx, x):
            return x  # itself
        function = members.METHODS[name]
        passed, kwargs = array_likes.arguments(cx, node, function, [x, *args], kwargs)
        made = cx.emit(node, function, passed, kwargs, member=f"{name}()")
        return made if target is None else writes.out(cx, node, target, made, None)
    assert isinstance(x, Obj | Tup) or (isinstance(x, Value) and isinstance(x.type, Tree | Seq))
    return containers.method(cx, node, x, name, args, kwargs)


def _is_real_array(cx: Context, x: Value) -> bool:
    t = x.type
    return is_reference(x, cx.boxed) and isinstance(t, Array) and t.dtype.kind != "c"


# --- Python functions ---------------------------------------------------------------------------


def closure_of(
    cx: Context, fn: types.FunctionType, node: gast.AST, receiver: Operand | None = None
) -> Closure:
    """A Python function of a module, ready to be inlined."""
    code = code_of(fn)
    a = code.args
    positional = [*a.posonlyargs, *a.args]
    values = fn.__defaults__ or ()
    defaults: dict[str, Operand] = {}
    for p, v in zip(positional[len(positional) - len(values) :], values, strict=True):
        defaults[p.id] = Known(v)
    for k, v in (fn.__kwdefaults__ or {}).items():
        defaults[k] = Known(v)
    return Closure(code, defaults, None, fn, receiver)


def inline(
    cx: Context, node: gast.AST, fn: Closure, args: list[Operand], kwargs: dict[str, Operand]
) -> Operand:
    """Lower the body of `fn` here."""
    if fn.receiver is not None:
        args = [fn.receiver, *args]
    bound = bind(cx, node, fn, args, kwargs)
    return recursion.inline_or_invoke(cx, node, fn, bound, lambda: run(cx, node, fn, bound))


def run(cx: Context, node: gast.AST, fn: Closure, bound: dict[str, Operand]) -> Operand:
    """The result of the body of `fn`, lowered in a frame of its own."""
    outer, loc = cx.frame, cx.builder.loc
    cx.frame = frame = _frame(cx, node, fn)
    for name, x in bound.items():
        cx.store.set(frame.cell(name), x)
    result = body(cx, fn.code.body)
    frame.closed = not frame.captured
    cx.frame, cx.builder.loc = outer, loc
    return cx.bottom(node) if cx.dead else result  # it raises on every path


def _frame(cx: Context, node: gast.AST, fn: Closure) -> Frame:
    """A frame for this call: the same one again where a loop around it is lowered again.

    A loop carries the variables of a frame that a closure sees: they must be the same in each try.
    """
    path = (cx.frame.path, cx.unrolled, id(node))
    frames = cx.module.frames.setdefault(path, [])
    called = (fn.code.node, fn.parent)
    frame = next((f for f in frames if f.again and (f.code.node, f.parent) == called), None)
    if frame is None:
        frame = Frame(fn.code, fn.parent, fn.function, path, cx.frame.depth + 1)
        frames.append(frame)
    cx.module.entered += 1
    frame.entered = cx.module.entered
    frame.again = frame.captured = frame.closed = False
    return frame


def body(cx: Context, statements: Any) -> Operand:
    """What a function's body returns, in the current frame."""
    if not isinstance(statements, list):
        return cx.evaluate(cx, statements)
    cell = cx.frame.cell(RESULT)
    cx.store.set(cell, Known(None))
    cx.execute(cx, statements)
    result = cx.store.get(cell)
    if isinstance(result, joins.Poison):
        cx.refuse(
            result,
            f"{cx.frame.code.name} returns {result.reason}",
            result.locs[0] if result.locs else cx.builder.loc,
            "return the same kind of value on each path",
        )
    return Known(None) if isinstance(result, Unbound) else result


def bind(
    cx: Context, node: gast.AST, fn: Closure, args: list[Operand], kwargs: dict[str, Operand]
) -> dict[str, Operand]:
    """The parameters of `fn` with what is passed for them."""
    a, name = fn.code.args, fn.code.name
    positional = [p.id for p in (*a.posonlyargs, *a.args)]
    bound: dict[str, Operand] = dict(zip(positional, args, strict=False))
    rest = args[len(positional) :]
    if rest and a.vararg is None:
        most = len(positional)
        cx.mismatch(f"{name} takes {most} positional arguments, {len(args)} are given", node)
    by_name = {p.id for p in (*a.args, *a.kwonlyargs)}
    extra: dict[str, Operand] = {}
    for k, v in kwargs.items():
        if k in by_name and k in bound:
            cx.mismatch(f"{name}: the argument `{k}` is given twice", node)
        if k not in by_name and a.kwarg is None:
            cx.mismatch(f"{name} has no parameter `{k}`", node)
        (bound if k in by_name else extra)[k] = v
    for p in (*positional, *(p.id for p in a.kwonlyargs)):
        if p not in bound:
            if p not in fn.defaults:
                cx.mismatch(f"{name}: the argument `{p}` is missing", node)
            bound[p] = default(cx, fn.defaults[p], node)
    if a.vararg is not None:
        bound[a.vararg.id] = Tup(tuple, tuple(range(len(rest))), tuple(rest))
    if a.kwarg is not None:
        made = Obj(dict)
        cx.store.set(made, Tup(dict, tuple(extra), tuple(extra.values())))
        bound[a.kwarg.id] = made
    return bound


def default(cx: Context, x: Operand, node: gast.AST) -> Operand:
    """The value of a default: numbers stay known, containers are taken apart."""
    if not isinstance(x, Known) or scalar_kind(x.value) is not None:
        return x
    if isinstance(x.value, tuple) and not hasattr(x.value, "_fields"):
        items = tuple([default(cx, Known(v), node) for v in x.value])
        return Tup(tuple, tuple(range(len(items))), items)
    if isinstance(x.value, np.ndarray | np.generic):
        v = cx.value(x, node)
        cx.heap.seal(v, "a default is shared by all calls: it may not be written")
        return v
    if classes.is_object_class(type(x.value)):  # what it holds is read at each call
        obj = x.value
        ref = GlobalRef(type(obj).__name__.lower(), lambda: obj, (id(obj), "object"))
        return attributes.from_outside(cx, Outside(obj, ref), node)
    if isinstance(x.value, list | dict):
        cx.unsupported(
            "a default that is a list or a dict is shared by all calls", node, "use a tuple"
        )
    return x
