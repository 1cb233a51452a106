"""Reading `x.name`: members of arrays, of containers and modules; and names from outside.

Objects of classes written in Python have a room of their own (`objects`).
"""

from __future__ import annotations

import builtins
import difflib
import types
from typing import Any, NoReturn

import gast
import numpy as np

from adcompile import classes
from adcompile.frontend import bases, calls, joins, members, objects, subscripts, wanted, writes
from adcompile.frontend.context import Context
from adcompile.frontend.operands import (
    Bound,
    Closure,
    Iterable,
    Known,
    Obj,
    Operand,
    Tup,
    is_bottom,
    is_seq,
)
from adcompile.frontend.scopes import Outside, data_type, is_static
from adcompile.frontend.scopes import attribute as module_attribute
from adcompile.frontend.wanted import fixed_type
from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.types import Array, Opaque, Scalar, Seq, Static, Tree, describe, with_article


def from_outside(cx: Context, found: Outside, node: gast.AST) -> Operand:
    """A global, a variable of a closure or an attribute of a module.

    What counts by its identity is known now; plain data is read at each call.
    """
    obj, read = found.value, wanted.READ.get()
    if read is not None and not _is_lasting(found):
        read.add(found.ref)
    if is_static(obj) and classes.keys_of(obj) is None:
        return Known(obj)
    if not isinstance(obj, bool) and isinstance(obj, float) and _is_constant(found):
        return cx.here(node).const(obj)
    t = fixed_type(data_type(obj) or Opaque(type(obj)), found.ref)
    if isinstance(t, Static):
        return calls.default(cx, Known(t.value), node)
    op = cx.here(node).add(core.Global, (), (t,), source=found.ref)
    if "." not in found.ref.name:
        op.result.name = found.ref.name
    if isinstance(t, Array) and not t.rank and isinstance(obj, np.ndarray):
        cx.boxed.add(op.result)
    cx.heap.seal(
        op.result, f"`{found.ref.name}` comes from outside: a write into it outlasts the call"
    )
    return op.result


def _is_lasting(found: Outside) -> bool:
    """What a program takes for granted: modules, and what is in libraries (builtins, too)."""
    of_builtins = isinstance(found.ref.key, tuple) and found.ref.key[0] == id(builtins)
    return isinstance(found.value, types.ModuleType) or _is_constant(found) or of_builtins


def _is_constant(found: Outside) -> bool:
    """np.pi and the like: numbers of libraries, which nobody changes."""
    return found.ref.name.partition(".")[0] in ("np", "numpy", "math", "cmath", "scipy")


def attribute(cx: Context, x: Operand, name: str, node: gast.AST) -> Operand:
    """`x.name`."""
    if is_bottom(x):
        return cx.bottom(node)
    if isinstance(x, bases.Super):
        return bases.of_super(cx, x, name, node)
    name = objects.written_name(cx, name, node)
    cls = objects.class_of(cx, x)
    if cls is not None:
        return objects.attribute(cx, x, cls, name, node)
    match x:
        case Known(value):
            return _of_known(cx, value, name, node)
        case Value(type=Array()):
            return _of_array(cx, x, name, node)
        case Value(type=Scalar(kind)):
            if name == "real" and kind != "complex":
                return x
            if name in ("conjugate",) and kind != "complex":
                return Bound(x, name, node)
        case Value(type=Opaque(cls)):
            if classes.stays_whole(cls):
                _refuse_state(cx, cls, node)
            return Bound(x, name, node)
        case Value(type=Seq() | Tree()) if is_seq(cx.held(x)) and hasattr(list, name):
            return Bound(x, name, node)
        case Obj(node=kind):
            if hasattr(kind, name):
                return Bound(x, name, node)
        case Tup() | Value(type=Tree()):
            return _of_tree(cx, x, name, node)
        case Closure() if name in ("__name__", "__qualname__"):
            return Known(x.code.name)
        case Iterable():
            pass
    cx.mismatch(f"{joins.describe_operand(x)} has no attribute `{name}`", node)


def _refuse_state(cx: Context, cls: type, node: gast.AST) -> NoReturn:
    cx.unsupported(
        f"this {cls.__name__} was made outside of the function: its state outlasts the call",
        node,
        f"make the {cls.__name__} inside the function",
    )


def has(cx: Context, x: Operand, name: str, node: gast.AST) -> bool:
    """Whether `x` has an attribute `name`, as far as that is supported."""
    cls = objects.class_of(cx, x)
    if cls is not None:
        return objects.has(cx, x, cls, name, node)
    if isinstance(x, Known):
        return hasattr(x.value, name)
    if isinstance(x, Value) and isinstance(x.type, Array | Scalar):
        cls = np.ndarray if isinstance(x.type, Array) else float
        return hasattr(cls, name)
    found = subscripts.keys_of(cx, x)
    if found is not None:
        return hasattr(found[0], name) or (
            not issubclass(found[0], list | dict) and name in found[1]
        )
    cx.mismatch("whether this has such an attribute is not known at compile time", node)


def _of_known(cx: Context, value: Any, name: str, node: gast.AST) -> Operand:
    try:
        if isinstance(value, types.ModuleType):
            path = f"{_written(node, value)}.{name}"
            return from_outside(cx, module_attribute(value, path, name), node)
        if isinstance(value, type) and classes.is_object_class(value):
            member = objects.of_class(cx, value, name, node)
            if member is not None:
                return member
        if classes.stays_whole(type(value)):
            _refuse_state(cx, type(value), node)
        found = getattr(value, name)
    except AttributeError:
        what = f"module `{value.__name__}`" if isinstance(value, types.ModuleType) else f"{value!r}"
        close = difflib.get_close_matches(name, dir(value), n=1)
        cx.mismatch(
            f"{what} has no attribute `{name}`",
            node,
            f"did you mean `{close[0]}`?" if close else None,
        )
    return Known(found)


def _written(node: gast.AST, module: types.ModuleType) -> str:
    """A module as the user wrote it: `np` or `a.b`."""
    names = []
    inner: Any = getattr(node, "value", None)
    while isinstance(inner, gast.Attribute):
        names.append(inner.attr)
        inner = inner.value
    if isinstance(inner, gast.Name):
        return ".".join([inner.id, *reversed(names)])
    return module.__name__


def _of_array(cx: Context, x: Value, name: str, node: gast.AST) -> Operand:
    assert isinstance(x.type, Array)
    if name == "ndim":
        return Known(x.type.rank)
    if name == "dtype":
        return Known(x.type.dtype)
    if name == "itemsize":
        return Known(x.type.dtype.itemsize)
    if name in members.ATTRIBUTES:
        return cx.emit(node, members.ATTRIBUTES[name], [x], member=name)
    if name in members.METHODS:
        return Bound(x, name, node)
    if name in writes.METHODS:
        return Bound(x, name, node)
    if name == "flat":
        return writes.flat_view(cx, x, node)
    known = [*members.ATTRIBUTES, *members.METHODS, "ndim", "dtype"]
    if hasattr(np.ndarray, name):
        cx.unsupported(f"the array member `{name}` is not supported", node)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else None
    cx.mismatch(f"{describe(x.type)} has no attribute `{name}`", node, hint)


def _of_tree(cx: Context, x: Operand, name: str, node: gast.AST) -> Operand:
    found = subscripts.keys_of(cx, x)
    assert found is not None
    kind, keys = found
    if kind in (tuple, list, dict):
        if hasattr(kind, name):
            return Bound(x, name, node)
        cx.mismatch(f"a {kind.__name__} has no attribute `{name}`", node)
    assert issubclass(kind, tuple)
    if name in keys:
        return subscripts.child(cx, x, name, node)
    if name in ("_replace", "_asdict", "index", "count"):
        return Bound(x, name, node)
    member = objects.member(kind, name)
    if member is not objects.MISSING:
        return objects.bound(cx, kind, member, name, x, node)
    close = difflib.get_close_matches(name, [str(k) for k in keys], n=1)
    hint = f"did you mean `{close[0]}`?" if close else None
    cx.mismatch(f"{with_article(kind.__name__)} has no attribute `{name}`", node, hint)
