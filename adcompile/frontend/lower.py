"""Lowering: from a function's tree to structured SSA, for one signature.

An abstract interpretation of the program: expressions evaluate to operands (`operands`), the store
holds variables and objects (`scopes`), branches and loops join what their blocks did (`joins`).
Statements are run from an explicit stack, so that neither the length of a function nor the nesting
of its blocks meets Python's recursion limit.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import gast

from adcompile.errors import InternalError, SignatureError, UnsupportedSyntax
from adcompile.frontend import (
    attributes,
    calls,
    containers,
    definitions,
    exceptions,
    exits,
    expressions,
    hooks,
    loops,
    naming,
    ruled,
    scoped,
    targets,
)
from adcompile.frontend.branches import merge
from adcompile.frontend.context import Context
from adcompile.frontend.functions import Code, code_of
from adcompile.frontend.heap import place_at
from adcompile.frontend.operands import (
    Known,
    Lost,
    Operand,
    Unbound,
)
from adcompile.frontend.recursion import Module
from adcompile.frontend.scopes import Frame, Outside
from adcompile.frontend.source import loc_of, unwrapped
from adcompile.frontend.wanted import ALIASES, NeedStatic, NeedUnrolled
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import MISSING, Block, Function, GlobalRef, Param, Value
from adcompile.ir.types import FLOAT, UNDEFINED, Array, Static, Tree, Type, Undefined

__all__ = ["NeedStatic", "lower_function"]

Steps = Iterator[Any]

MOST_RETRIES = 50  # because of loops that must be unrolled


def lower_function(
    fn: Callable[..., Any], arg_types: Sequence[Type], kwarg_types: Mapping[str, Type] = {}
) -> Function:
    """The SSA of `fn` for arguments of these types.

    Each parameter whose type is not `Static` is a parameter of the result; the others, and defaults
    of what is not passed, are baked in. Raises NeedStatic where the value of a parameter decides a
    type, and an AdcompileError where `fn` cannot be compiled.
    """
    function = unwrapped(fn)
    code = code_of(function)
    receiver = fn.__self__ if isinstance(fn, types.MethodType) else MISSING
    if receiver is not MISSING:
        arg_types = [UNDEFINED, *arg_types]  # stands for `self`
    signature = _signature(code, function, arg_types, kwarg_types)
    unroll: set[Hashable] = set()
    while True:
        try:
            return _lower(function, code, receiver, signature, Module(unroll=unroll))
        except NeedUnrolled as e:  # for a loop that is done
            if e.loop in unroll or len(unroll) == MOST_RETRIES:
                raise e.error from None
            unroll.add(e.loop)


def _lower(
    function: types.FunctionType,
    code: Code,
    receiver: Any,
    signature: tuple[list[Param], dict[str, Type]],
    module: Module,
) -> Function:
    params, types_by_name = signature
    block = Block()
    builder = Builder(block, loc_of(code.node))
    frame = Frame(code, None, function, ())
    cx = Context(builder, frame, expressions.evaluate, execute, module)
    given: list[Param] = []
    for position, param in enumerate(params):
        t = types_by_name.get(param.name)
        if isinstance(t, Undefined):
            ref = GlobalRef(param.name, lambda: receiver, (id(receiver), param.name))
            x = attributes.from_outside(cx, Outside(receiver, ref), code.node)
            if isinstance(x, Value):
                module.heap.sealed.pop(x, None)  # as any argument
        elif t is None:
            x = _default(cx, function, code, param)
        elif isinstance(t, Static):
            x = calls.default(cx, Known(t.value), code.node)
        else:
            x = Value(t, param.name, block)
            block.params.append(x)
            given.append(param)
            cx.parameters[x] = position
            if isinstance(t, Array) and not t.rank:
                cx.boxed.add(x)
        cx.store.set(frame.cell(param.name), x)
    by_name = {p.name: v for p, v in zip(given, block.params, strict=True)}
    module.heap.params.update((v, name) for name, v in by_name.items())
    for path, other in ALIASES.get():
        module.heap.same[place_at(by_name, other)] = place_at(by_name, path)
    try:
        passed = {name: cx.store.get(frame.cell(name)) for name in types_by_name}
        own = ruled.body(cx, code.node, function, passed) if receiver is MISSING else None
        result = calls.body(cx, code.body) if own is None else own
    except RecursionError as e:
        raise UnsupportedSyntax(
            "the calls or expressions of this function are nested too deeply",
            cx.builder.loc,
            "split long expressions over several statements",
        ) from e
    _hand_out(cx, code, result)
    made = Function(code.name, block, given, function.__doc__, loc_of(code.node))
    changed = module.heap.changed
    paths = (module.heap.path(place) for place in cx.store.now if place in changed)
    made.writes = tuple([p for p in paths if p is not None])
    exits.run(made)
    return made


def _hand_out(cx: Context, code: Code, result: Operand) -> None:
    """End the function with what its body gave."""
    b = cx.builder
    if cx.dead:  # every path raises: that is what a call of the result is to do, too
        b.return_(b.undef(FLOAT))
    else:
        end = cx.returned or code.node
        v = cx.value(result, end)
        error = cx.unknown(v, end)
        if error is not None:
            raise error
        cx.here(end).return_(v)
    cx.check_bottoms()


def _signature(
    code: Code, fn: types.FunctionType, args: Sequence[Type], kwargs: Mapping[str, Type]
) -> tuple[list[Param], dict[str, Type]]:
    """The parameters of `code`, and the types of those that are passed."""
    a = code.args
    defaults = fn.__defaults__ or ()
    positional = [*a.posonlyargs, *a.args]
    params = [Param(p.id, "POSITIONAL_ONLY") for p in a.posonlyargs]
    params += [Param(p.id) for p in a.args]
    for p, v in zip(params[len(positional) - len(defaults) :], defaults, strict=True):
        p.default = v
    found: dict[str, Type] = dict(zip([p.name for p in params], args, strict=False))
    rest = args[len(params) :]
    if a.vararg is not None:
        params.append(Param(a.vararg.id, "VAR_POSITIONAL"))
        found[a.vararg.id] = Tree(tuple, tuple(range(len(rest))), tuple(rest))
    elif rest:
        most = len(positional)
        raise SignatureError(
            f"{code.name} takes {most} positional arguments, {len(args)} are given"
        )
    for p in a.kwonlyargs:
        default = (fn.__kwdefaults__ or {}).get(p.id, core.MISSING)
        params.append(Param(p.id, "KEYWORD_ONLY", default))
    extra: dict[str, Type] = {}
    for k, t in kwargs.items():
        named = any(p.name == k and p.kind != "POSITIONAL_ONLY" for p in params)
        if named and k in found:
            raise SignatureError(f"{code.name}: the argument `{k}` is given twice")
        if not named and a.kwarg is None:
            raise SignatureError(f"{code.name} has no parameter `{k}`")
        (found if named else extra)[k] = t
    if a.kwarg is not None:
        params.append(Param(a.kwarg.id, "VAR_KEYWORD"))
        found[a.kwarg.id] = Tree(dict, tuple(extra), tuple(extra.values()))
    missing = [p.name for p in params if p.name not in found and p.default is MISSING]
    if missing:
        raise SignatureError(f"{code.name}: the argument `{missing[0]}` is missing")
    return params, found


def _default(cx: Context, fn: types.FunctionType, code: Code, param: Param) -> Operand:
    return calls.default(cx, Known(param.default), code.node)


# --- statements ---------------------------------------------------------------------------------


def execute(cx: Context, body: list[Any]) -> None:
    """Lower statements, nested ones from an explicit stack."""
    stack: list[Any] = [run(cx, body)]
    failure: NeedUnrolled | None = None
    while stack:
        try:
            inner = next(stack[-1], None) if failure is None else stack[-1].throw(failure)
            failure = None
        except StopIteration:
            inner = failure = None
        except NeedUnrolled as e:  # for the loop that it is about, further up the stack
            inner, failure = None, e
        if inner is None:
            stack.pop()
        else:
            stack.append(inner)
    if failure is not None:
        raise failure


def run(cx: Context, body: list[Any]) -> Steps:
    """Lower the statements of a body; yields the steps of those that have bodies themselves."""
    for node in body:
        if cx.dead:
            return
        handler = STATEMENTS.get(type(node))
        if handler is None:
            raise InternalError(f"no lowering for {type(node).__name__}", loc_of(node))
        cx.here(node)
        steps = handler(cx, node)
        if steps is not None:
            yield steps


def _expr(cx: Context, node: gast.Expr) -> None:
    if cx.hook is not None and hooks.collects(cx, node.value):
        return
    if not isinstance(node.value, gast.Constant):
        expressions.evaluate(cx, node.value)


def _assign(cx: Context, node: gast.Assign) -> None:
    mark = len(cx.builder.block.ops)
    x = expressions.evaluate(cx, node.value)
    for target in node.targets:
        targets.assign(cx, target, x, mark)


def _annassign(cx: Context, node: gast.AnnAssign) -> None:
    if node.value is not None:
        mark = len(cx.builder.block.ops)
        targets.assign(cx, node.target, expressions.evaluate(cx, node.value), mark)


def _return(cx: Context, node: gast.Return) -> None:
    x = Known(None) if node.value is None else expressions.evaluate(cx, node.value)
    cx.returned = node
    cx.store.set(cx.frame.cell(calls.RESULT), x)


def _if(cx: Context, node: gast.If) -> Steps | None:
    cond = expressions.test(cx, node.test)
    if isinstance(cond, bool):
        return run(cx, node.body if cond else node.orelse)
    return _both(cx, node, cond)


def _both(cx: Context, node: gast.If, cond: Value) -> Steps:
    arms = []
    for body in (node.body, node.orelse):
        outer = cx.enter()
        yield run(cx, body)
        arms.append(cx.leave(outer))
    merge(cx, cond, arms[0], arms[1], node)


def _for(cx: Context, node: gast.For) -> Steps:
    return loops.for_(cx, node, run, targets.bind_item)


def _while(cx: Context, node: gast.While) -> Steps:
    return loops.while_(cx, node, run)


def _with(cx: Context, node: gast.With) -> Steps:
    return scoped.with_(cx, node, run)


def _try(cx: Context, node: gast.Try) -> Steps:
    return exceptions.try_(cx, node, run)


def _assert(cx: Context, node: gast.Assert) -> None:
    cond = expressions.test(cx, node.test)
    if cond is True:
        return
    operands = [cx.value(Known(cond) if isinstance(cond, bool) else cond, node)]
    if node.msg is not None:
        operands.append(cx.value(expressions.evaluate(cx, node.msg), node))
    cx.here(node).add(core.Assert, operands, ())


def _raise(cx: Context, node: gast.Raise) -> None:
    if node.exc is None:
        operands = [exceptions.reraised(cx, node)]
    else:
        operands = [cx.value(expressions.evaluate(cx, node.exc), node)]
    if node.cause is not None:
        operands.append(cx.value(expressions.evaluate(cx, node.cause), node))
    cx.here(node).add(core.Raise, operands, ())
    cx.dead = True


def _pass(cx: Context, node: gast.Pass | gast.Global | gast.Nonlocal) -> None:
    return None


def _delete(cx: Context, node: gast.Delete) -> None:
    work = node.targets[::-1]
    while work:
        target = work.pop()
        if isinstance(target, gast.Name):
            cell = cx.frame.find(target.id)
            assert cell is not None
            if isinstance(cx.store.get(cell), Unbound):
                cx.mismatch(f"`{target.id}` is deleted before it is assigned", target)
            cx.store.set(cell, Lost("is deleted on some path to here", [loc_of(node)]))
        elif isinstance(target, gast.Tuple | gast.List):
            work += target.elts[::-1]
        else:
            assert isinstance(target, gast.Subscript)
            x = expressions.evaluate(cx, target.value)
            containers.del_item(cx, x, expressions.evaluate(cx, target.slice), target)


def _def(cx: Context, node: gast.FunctionDef) -> None:
    decorators = [definitions.decorator(cx, d) for d in node.decorator_list]
    x: Operand = expressions.closure(cx, node)
    for decorate in reversed(decorators):
        x = decorate(x)
    naming.bind(cx, node.name, x, len(cx.builder.block.ops))


STATEMENTS: dict[type, Callable[[Context, Any], Steps | None]] = {
    gast.Expr: _expr,
    gast.Assign: _assign,
    gast.AnnAssign: _annassign,
    gast.AugAssign: targets.augassign,
    gast.Return: _return,
    gast.If: _if,
    gast.For: _for,
    gast.While: _while,
    gast.With: _with,
    gast.Try: _try,
    gast.Assert: _assert,
    gast.Raise: _raise,
    gast.Pass: _pass,
    gast.Global: _pass,
    gast.Nonlocal: _pass,
    gast.Delete: _delete,
    gast.FunctionDef: _def,
    gast.Import: definitions.import_,
    gast.ImportFrom: definitions.import_,
}
