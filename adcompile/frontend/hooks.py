"""`with gradient_of(x) as g:`: statements for the backward sweep.

The block is lowered here, where its names mean what they mean, into a function of its own: what it
reads of the program becomes its parameters. From then on `x` is what the op `Hook` hands on. The
block runs in another sweep, so nothing that it assigns is seen by the program; what would be is
refused. It may append to a list from outside of the function.

Of an array it is the object that is hooked: other names of it see the hooked contents, too, though
nothing is written.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import gast
import numpy as np

from adcompile.codegen.aliasing import is_fresh
from adcompile.errors import UnsupportedSyntax
from adcompile.frontend import calls, expressions, prune
from adcompile.frontend.context import Arm, Context
from adcompile.frontend.heap import is_reference
from adcompile.frontend.operands import Leaf, Lost, Obj, Operand, Tup, Unbound, is_bottom
from adcompile.frontend.scopes import Cell, Place, outside
from adcompile.frontend.source import loc_of
from adcompile.hooks import gradient_of
from adcompile.ir import core
from adcompile.ir.core import Block, Function, Handle, Param, Value, defined_in
from adcompile.ir.identities import Hook
from adcompile.ir.types import NONE, Array, Opaque, Scalar, describe, is_inexact, is_many

Run = Callable[[Context, list[Any]], Iterator[Any]]

_LEAVES = ("$value", "$returned", calls.RESULT)  # variables that only a `return` assigns


def with_(cx: Context, node: Any, body: list[Any], run: Run) -> Iterator[Any]:
    """Lower `with gradient_of(x) as g: body`, the first item of `node`."""
    if cx.hook is not None:
        cx.unsupported(
            "`gradient_of` in the block of another one",
            node.items[0].context_expr,
            "write one `with` statement after the other",
        )
    name, target = _variable(cx, node.items[0]), _target(cx, node.items[0])
    x = expressions.evaluate(cx, name)
    if is_bottom(x):  # of a loop that will be lowered again
        return
    v = _floats(cx, x, name)
    outer = cx.enter()
    d = Value(v.type, None, cx.builder.block)
    cx.builder.block.params.append(d)
    g = cx.here(node).alias(d, None if target is None else target.id)
    cell = None
    if target is not None:
        cell = cx.frame.cell(target.id)
        _check_new(cx, cell, target)
        cx.store.set(cell, g)
    cx.hook = node
    try:
        yield run(cx, body)
    finally:
        cx.hook = None
    if cx.dead:
        cx.unsupported(
            "this block raises in any case", node, "raise under a condition: `assert`, `if`"
        )
    new = g if target is None else _new_gradient(cx, g, name, target, node)
    cx.here(node).return_(new)
    arm = cx.leave(outer)
    _check_changes(cx, arm, node, cell)
    captured = _close(arm.block)
    hooked = cx.here(node).add(Hook, [v, *captured], (v.type,), body=_body(arm.block, node)).result
    hooked.name = name.id
    _hand_on(cx, name, x, hooked)


# --- the header ---------------------------------------------------------------------------------


def _variable(cx: Context, item: Any) -> gast.Name:
    """The name in `gradient_of(name)`."""
    call = item.context_expr
    if len(call.args) != 1 or call.keywords:
        cx.unsupported("`gradient_of` takes one variable", call, "write `gradient_of(x)`")
    (arg,) = call.args
    if not isinstance(arg, gast.Name):
        cx.unsupported(
            "`gradient_of` takes the name of a variable, not an expression",
            arg,
            "give it a name first, which what follows reads: `h = …`, `with gradient_of(h) as g:`",
        )
    if cx.frame.find(arg.id) is None and outside(cx.frame.root, arg.id) is not None:
        cx.unsupported(
            f"`{arg.id}` comes from outside of the function",
            arg,
            f"give it a name of the function's own, which what follows reads: `w = {arg.id}`",
        )
    return arg


def _target(cx: Context, item: Any) -> gast.Name | None:
    target = item.optional_vars
    if target is not None and not isinstance(target, gast.Name):
        cx.unsupported("the gradient of a variable is given one name", target, "write `as g`")
    return target


def _floats(cx: Context, x: Operand, node: gast.Name) -> Value:
    """What `x` holds now, if that is a float or an array of floats."""
    v = cx.value(x, node)
    if not is_inexact(v.type):
        what = describe(v.type)
        hint = "take what it holds by name: `W = params['W']`, `with gradient_of(W) as g:`"
        cx.unsupported(
            f"`{node.id}` is {what}: `gradient_of` takes a float or an array of floats",
            node,
            None if isinstance(v.type, Scalar | Array) else hint,
        )
    return v


def _check_new(cx: Context, cell: Cell, target: gast.Name) -> None:
    """Refuse the name of a variable of the program: the block cannot assign it."""
    if not isinstance(cx.store.get(cell), Unbound | Lost) and not is_bottom(cx.store.get(cell)):
        cx.unsupported(
            f"`{target.id}` is a variable of the function, which its gradient cannot be called",
            target,
            f"call it something else: `as d_{target.id}`",
        )


# --- the block ----------------------------------------------------------------------------------


def _new_gradient(
    cx: Context, g: Value, name: gast.Name, target: gast.Name, node: gast.AST
) -> Value:
    """What `g` is at the end of the block, if it can be the gradient of the variable."""
    new = cx.value(expressions.evaluate(cx, target), target)
    if new is g:
        return new
    is_number = isinstance(new.type, Scalar | Array) and not getattr(new.type, "shape", ())
    kind = new.type.kind if isinstance(new.type, Scalar) else None
    real = kind != "complex" if kind else isinstance(new.type, Array) and _is_real(new.type)
    if not real or not (is_number or _may_fit(new.type, g.type)):
        cx.mismatch(
            f"`{target.id}` ends as {describe(new.type)}, and cannot be the gradient of "
            f"`{name.id}`, {describe(g.type)}",
            target,
            "keep its shape, or make it one number, which holds for every element",
        )
    if kind in ("bool", "int"):
        return cx.value(cx.emit(node, float, [new]), node)
    if not is_number and new.type.shape != g.type.shape:  # type: ignore[union-attr]
        _check_shape(cx, g, new, f"`{target.id}` must keep the shape of `{name.id}`", node)
    return new


def _is_real(t: Array) -> bool:
    return t.dtype.kind in "fiub"


def _may_fit(new: Any, old: Any) -> bool:
    """Whether arrays of these types may have the same shape."""
    if not isinstance(old, Array) or new.rank != old.rank:
        return False
    sizes = zip(new.shape, old.shape, strict=True)
    return all(a == b or not ((a == 1 and is_many(b)) or (b == 1 and is_many(a))) for a, b in sizes)


def _check_shape(cx: Context, g: Value, new: Value, message: str, node: gast.AST) -> None:
    """Sizes that cannot be told to be equal are compared at run time."""
    shapes = [cx.emit(node, np.shape, [x], member="shape") for x in (new, g)]
    same = cx.value(cx.emit(node, operator.eq, shapes), node)
    cx.here(node).add(core.Assert, [same, cx.here(node).const(message)], ())


def _check_changes(cx: Context, arm: Arm, node: Any, own: Cell | None) -> None:
    """Refuse what the block assigns or writes and the program would see."""
    inside: set[Any] | None = None
    for place, held in arm.changes.items():
        before = cx.store.get(place)
        if place is own or before is held:
            continue
        if isinstance(place, Cell):
            _check_variable(cx, place, before, node)
            continue
        inside = defined_in([arm.block]) if inside is None else inside
        root = place
        while isinstance(root, Leaf):
            root = root.root
        if place in cx.store.now if isinstance(place, Obj) else root not in inside:
            raise _too_late(f"{_shown(place)} is changed in this block", node, place)
    if own is not None:
        _lose(cx, own, node)


def _check_variable(cx: Context, cell: Cell, before: Operand, node: Any) -> None:
    if cell.frame.closed:
        return
    own = isinstance(before, Unbound | Lost) or is_bottom(before)
    leaves = cell.frame is cx.frame and cell.name.startswith(_LEAVES)
    if leaves or ("$" in cell.name and not own):
        cx.unsupported(
            "`return`, `break` and `continue` cannot leave this block",
            node,
            "it runs in the backward sweep: jump after it",
        )
    if not own:
        raise _too_late(f"`{cell.name}` is assigned in this block", node, cell)
    _lose(cx, cell, node)


def _lose(cx: Context, cell: Cell, node: Any) -> None:
    """After the block its own variables are no more."""
    if "$" not in cell.name:
        why = "is assigned in a `with gradient_of` block, which runs in the backward sweep"
        hint = "read it in the block; the program itself does not have it"
        cx.store.set(cell, Lost(why, [loc_of(node)], hint=hint))


def _too_late(what: str, node: Any, place: Place) -> UnsupportedSyntax:
    hint = "give it another name" if isinstance(place, Cell) else "make a copy in the block"
    if isinstance(place, Obj) and place.node is list:
        hint = "append to a list from outside of the function"
    return UnsupportedSyntax(
        f"{what}, which runs in the backward sweep: the function would not see it",
        loc_of(node),
        hint,
    )


def _shown(place: Place) -> str:
    name = getattr(place, "name", None)
    if name is None:
        return f"a {place.node.__name__}" if isinstance(place, Obj) else "an array"
    return f"`{name}`"


def _close(block: Block) -> list[Value]:
    """Make what `block` reads from outside its parameters; returns what was read."""
    inside = defined_in([block])
    read = {v: None for op in core.walk(block) for v in op.operands if v not in inside}
    new = {v: Value(v.type, v.name, block) for v in read}
    block.params += new.values()
    core.substitute(block, new)
    return list(read)


def _body(block: Block, node: Any) -> Function:
    made = Function("hook", block, [Param(p.name or "x") for p in block.params], loc=loc_of(node))
    prune.run(made)
    return made


def _hand_on(cx: Context, name: gast.Name, x: Operand, hooked: Value) -> None:
    """The variable, or the array that it names, is what was hooked from now on."""
    cell = cx.frame.find(name.id)
    assert cell is not None
    if isinstance(x, Leaf):
        cx.heap.renew(cx.store, cx.heap.same.get(x, x), hooked)
        return
    if not isinstance(x, Value) or not is_reference(x, cx.boxed):
        cx.store.set(cell, hooked)
        return
    if x in cx.heap.views:  # its base stays as it is: what is written there is not seen any more
        if x in cx.boxed:
            cx.boxed.add(hooked)
        cx.heap.relate_to(hooked, x)
        cx.store.set(cell, hooked)
    else:
        cx.heap.renew(cx.store, cx.heap.place(x), hooked)


# --- what it may fill ---------------------------------------------------------------------------


def collects(cx: Context, node: gast.AST) -> bool:
    """Lower `xs.append(v)` of a list from outside the function, if `node` is that."""
    if not isinstance(node, gast.Call) or not isinstance(node.func, gast.Attribute):
        return False
    name = node.func.value
    if node.func.attr != "append" or not isinstance(name, gast.Name) or len(node.args) != 1:
        return False
    if cx.frame.find(name.id) is not None:
        return False
    found = outside(cx.frame.root, name.id, cx.frame.is_global(name.id))
    if found is None or type(found.value) is not list:
        return False
    item = _kept(cx, expressions.evaluate(cx, node.args[0]), node)
    ref = Handle(found.ref.name, found.ref.read, found.ref.key)
    into = cx.here(node).add(core.Global, (), (Opaque(list),), source=ref).result
    cx.emit(node, list.append, [into, item], member="append()", effect=True, types=[NONE])
    return True


def _kept(cx: Context, x: Operand, node: gast.AST) -> Operand:
    """`x` in memory of its own: the sweep may go on to use the buffers of its arrays."""
    held = cx.held(x)
    if isinstance(held, Tup):
        return Tup(held.node, held.keys, tuple([_kept(cx, item, node) for item in held.items]))
    v = cx.value(held, node)
    if not is_reference(v, cx.boxed) or (isinstance(v.owner, core.Op) and is_fresh(v.owner, v)):
        return v
    return cx.emit(node, np.copy, [v], member="copy()")


__all__ = ["collects", "gradient_of", "with_"]
