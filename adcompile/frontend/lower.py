"""Lowering: from a function's tree to structured SSA, for one signature.

An abstract interpretation of the program: expressions evaluate to operands (`operands`), the store
holds variables and objects (`scopes`), branches and loops join what their blocks did (`joins`).
Statements are run from an explicit stack, so that neither the length of a function nor the nesting
of its blocks meets Python's recursion limit.
"""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any

import gast

from adcompile.errors import InternalError, SignatureError, UnsupportedSyntax
from adcompile.frontend import (
    attributes,
    builtin_calls,
    calls,
    expressions,
    loops,
    prune,
    scoped,
    subscripts,
)
from adcompile.frontend.branches import merge
from adcompile.frontend.context import Context
from adcompile.frontend.functions import Code, code_of
from adcompile.frontend.operands import (
    Known,
    Obj,
    Operand,
    is_bottom,
    is_rank0,
)
from adcompile.frontend.recursion import Module
from adcompile.frontend.scopes import Frame, Outside
from adcompile.frontend.source import loc_of, unwrapped
from adcompile.frontend.wanted import NeedStatic, NeedUnrolled
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import MISSING, Block, Function, GlobalRef, Param, Value
from adcompile.ir.types import FLOAT, UNDEFINED, Array, Seq, Static, Tree, Type, Undefined

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
    try:
        result = calls.body(cx, code.body)
    except RecursionError as e:
        raise UnsupportedSyntax(
            "the calls or expressions of this function are nested too deeply",
            cx.builder.loc,
            "split long expressions over several statements",
        ) from e
    if cx.dead:  # every path raises: that is what a call of the result is to do, too
        builder.return_(builder.undef(FLOAT))
    else:
        end = cx.returned or code.node
        v = cx.value(result, end)
        error = cx.unknown(v, end)
        if error is not None:
            raise error
        cx.here(end).return_(v)
    cx.check_bottoms()
    made = Function(code.name, block, given, function.__doc__, loc_of(code.node))
    prune.run(made)
    return made


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
    if not isinstance(node.value, gast.Constant):
        expressions.evaluate(cx, node.value)


def _assign(cx: Context, node: gast.Assign) -> None:
    mark = len(cx.builder.block.ops)
    x = expressions.evaluate(cx, node.value)
    for target in node.targets:
        assign(cx, target, x, mark)


def _annassign(cx: Context, node: gast.AnnAssign) -> None:
    if node.value is not None:
        mark = len(cx.builder.block.ops)
        assign(cx, node.target, expressions.evaluate(cx, node.value), mark)


def bind_item(cx: Context, target: Any, x: Operand) -> None:
    """Assign the item of an iteration to the target of a loop."""
    if isinstance(x, Value) and isinstance(target, gast.Name) and x.owner is None:
        x.name = target.id  # the counter itself
    assign(cx, target, x, 0 if not isinstance(x, Known) else len(cx.builder.block.ops))


def assign(cx: Context, target: Any, x: Operand, mark: int) -> None:
    """`target = x`; values made since `mark` that have no name yet get the target's."""
    work: list[tuple[Any, Operand]] = [(target, x)]
    while work:
        target, x = work.pop()
        if isinstance(target, gast.Name):
            _name_value(cx, x, target.id, mark)
            cell = cx.frame.find(target.id)
            assert cell is not None
            cx.store.set(cell, x)
        elif isinstance(target, gast.Tuple | gast.List):
            work += reversed(_spread(cx, target, x))
        else:
            cx.unsupported(
                "writes into arrays, lists, dicts and objects are not supported yet",
                target,
                "build a new value instead (`np.where`, `np.concatenate`, `xs + [v]`)",
            )


def _name_value(cx: Context, x: Operand, name: str, mark: int) -> None:
    if not isinstance(x, Value) or x.name is not None or "$" in name:
        return
    if x.owner is None:
        return
    ops = cx.builder.block.ops
    if any(ops[i] is x.owner for i in range(len(ops) - 1, mark - 1, -1)):
        x.name = name


def _spread(cx: Context, target: Any, x: Operand) -> list[tuple[Any, Operand]]:
    """The targets of an unpacking with what goes to each."""
    count = len(target.elts)
    starred = [i for i, t in enumerate(target.elts) if isinstance(t, gast.Starred)]
    if is_bottom(x):
        return [
            (getattr(t, "value", t) if isinstance(t, gast.Starred) else t, x) for t in target.elts
        ]
    items = builtin_calls.items_of(cx, x, target)
    if items is None:
        items = _items_at_run_time(cx, target, x, count, bool(starred))
    if not starred:
        if len(items) != count:
            problem = "too many" if len(items) > count else "not enough"
            cx.mismatch(f"{problem} values to unpack: {count} expected, {len(items)} given", target)
        return list(zip(target.elts, items, strict=True))
    at, after = starred[0], count - starred[0] - 1
    if len(items) < count - 1:
        cx.mismatch(
            f"not enough values to unpack: {count - 1} expected, {len(items)} given", target
        )
    middle = expressions.new_list(cx, items[at : len(items) - after])
    parts: list[Operand] = [*items[:at], middle, *items[len(items) - after :]]
    return [
        (t.value if isinstance(t, gast.Starred) else t, p)
        for t, p in zip(target.elts, parts, strict=True)
    ]


def _items_at_run_time(
    cx: Context, target: Any, x: Operand, count: int, starred: bool
) -> list[Operand]:
    """The items of an array, or of a list of unknown length: as many as there are targets."""
    held = cx.contents(x) if isinstance(x, Obj) else x
    array = isinstance(held, Value) and isinstance(held.type, Array | Seq)
    if not (isinstance(held, Value) and array) or getattr(held.type, "rank", 1) == 0:
        cx.mismatch("this cannot be unpacked: it is no sequence", target)
    size = held.type.shape[0] if isinstance(held.type, Array) else None
    if starred and not isinstance(size, int):
        cx.unsupported("how many values `*` takes here is not known at compile time", target)
    if isinstance(size, int):
        count = size
    else:
        length = cx.emit(target, len, [held])
        fits = cx.emit(target, expressions.COMPARE[gast.Eq], [length, Known(count)])
        message = cx.value(Known(f"{count} values expected to unpack"), target)
        cx.here(target).add(core.Assert, [cx.value(fits, target), message], ())
    return [subscripts.subscript(cx, held, Known(i), target) for i in range(count)]


def _augassign(cx: Context, node: gast.AugAssign) -> None:
    if not isinstance(node.target, gast.Name):
        cx.unsupported(
            "writes into arrays, lists, dicts and objects are not supported yet",
            node,
            "build a new value instead (`np.where`, `np.concatenate`, `xs + [v]`)",
        )
    mark = len(cx.builder.block.ops)
    name = node.target.id
    load = gast.Name(name, gast.Load(), None, None)
    gast.copy_location(load, node.target)
    load.stmt = node.target.stmt
    x = expressions.evaluate(cx, load)
    _refuse_in_place(cx, node, x, name)
    value = expressions.evaluate(cx, node.value)
    made = expressions.binary(cx, expressions.BINARY[type(node.op)], x, value, node)
    assign(cx, node.target, made, mark)


def _refuse_in_place(cx: Context, node: gast.AugAssign, x: Operand, name: str) -> None:
    """`x += v` writes into an array or a list; numbers and tuples are rebound."""
    array = isinstance(x, Value) and isinstance(x.type, Array)
    if array and (not is_rank0(x) or x in cx.boxed or _is_made_array(x)):
        what = f"the array `{name}`"
    elif isinstance(x, Obj) or (isinstance(x, Value) and isinstance(x.type, Seq)):
        what = f"the list `{name}`"
    elif isinstance(x, Value) and isinstance(x.type, Tree) and x.type.node in (list, dict):
        what = f"the {x.type.node.__name__} `{name}`"
    else:
        return
    sign = _SIGNS.get(type(node.op), "+")
    cx.unsupported(
        f"`{name} {sign}= …` writes into {what}; such writes are not supported yet",
        node,
        f"write `{name} = {name} {sign} …`",
    )


_SIGNS: dict[type, str] = {
    gast.Add: "+",
    gast.Sub: "-",
    gast.Mult: "*",
    gast.Div: "/",
    gast.FloorDiv: "//",
    gast.Mod: "%",
    gast.Pow: "**",
    gast.MatMult: "@",
    gast.BitAnd: "&",
    gast.BitOr: "|",
    gast.BitXor: "^",
    gast.LShift: "<<",
    gast.RShift: ">>",
}
_MAKERS = {
    "array",
    "asarray",
    "zeros",
    "ones",
    "full",
    "empty",
    "copy",
    "reshape",
    "squeeze",
    "diagonal",
}


def _is_made_array(x: Operand) -> bool:
    """Whether a value of rank 0 is an array, which `+=` writes into, and no NumPy scalar."""
    owner = getattr(x, "owner", None)
    if isinstance(owner, core.Item | core.Unpack):
        while isinstance(owner, core.Item | core.Unpack):
            owner = owner.operands[0].owner
        return isinstance(owner, Block | core.Global)  # a leaf of a parameter
    if isinstance(owner, core.Call):
        return getattr(owner.fn, "__name__", "").removesuffix("_like") in _MAKERS
    return isinstance(owner, core.Index) and any(e is Ellipsis for e in owner.spec)


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
    return loops.for_(cx, node, run, bind_item)


def _while(cx: Context, node: gast.While) -> Steps:
    return loops.while_(cx, node, run)


def _with(cx: Context, node: gast.With) -> Steps:
    return scoped.with_(cx, node, run)


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
        cx.unsupported("`raise` without an exception", node)
    operands = [cx.value(expressions.evaluate(cx, node.exc), node)]
    if node.cause is not None:
        operands.append(cx.value(expressions.evaluate(cx, node.cause), node))
    cx.here(node).add(core.Raise, operands, ())
    cx.dead = True


def _pass(cx: Context, node: gast.Pass) -> None:
    return None


def _def(cx: Context, node: gast.FunctionDef) -> None:
    cell = cx.frame.find(node.name)
    assert cell is not None
    cx.store.set(cell, expressions.closure(cx, node))


def _import(cx: Context, node: Any) -> None:
    for alias in node.names:
        if isinstance(node, gast.ImportFrom):
            module = importlib.import_module(node.module or "")
            x = attributes.attribute(cx, Known(module), alias.name, node)
        else:
            name = alias.name if alias.asname else alias.name.partition(".")[0]
            importlib.import_module(alias.name)
            x = Known(importlib.import_module(name))
        cell = cx.frame.find((alias.asname or alias.name).partition(".")[0])
        assert cell is not None
        cx.store.set(cell, x)


STATEMENTS: dict[type, Callable[[Context, Any], Steps | None]] = {
    gast.Expr: _expr,
    gast.Assign: _assign,
    gast.AnnAssign: _annassign,
    gast.AugAssign: _augassign,
    gast.Return: _return,
    gast.If: _if,
    gast.For: _for,
    gast.While: _while,
    gast.With: _with,
    gast.Assert: _assert,
    gast.Raise: _raise,
    gast.Pass: _pass,
    gast.FunctionDef: _def,
    gast.Import: _import,
    gast.ImportFrom: _import,
}
