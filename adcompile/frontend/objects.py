"""Objects of classes written in Python: what `x.name` finds, and what `x.name = v` does.

An object is a container like a dict: its attributes are its items. What is not among them is looked
up in the class, as Python does: methods are bound, properties run, other members of the class read
at each call. An object that the program made is an `Obj`; one that is passed to it is a value of
`Tree` type, whose attributes are changed for the program alone, never for the caller.
"""

from __future__ import annotations

import difflib
import functools
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import gast

from adcompile import classes
from adcompile.frontend import attributes, calls, derivatives, joins, subscripts
from adcompile.frontend.context import Context
from adcompile.frontend.operands import Closure, Known, Obj, Operand, Tup, is_bottom
from adcompile.frontend.scopes import Outside
from adcompile.ir.core import GlobalRef, Value
from adcompile.ir.types import Array, Opaque, Scalar, with_article
from adcompile.modes import Derived

MISSING: Any = object()  # no such member


@dataclass(eq=False, slots=True)
class Action:
    """Something that is called and is no function of the program: `super().__init__`."""

    run: Callable[[Context, gast.AST, list[Operand], dict[str, Operand]], Operand]
    of: Any = None  # for others to look at: which derivative it is
    kind: str = "function"  # for messages


def class_of(cx: Context, x: Any) -> type | None:
    """The class of an object with attributes; None for everything else."""
    if isinstance(x, Known | Closure | Action):
        return None
    found = subscripts.keys_of(cx, x)
    return found[0] if found is not None and classes.is_object_class(found[0]) else None


def member(cls: type, name: str) -> Any:
    """What the class itself or one of its bases has under `name`, not bound; or MISSING."""
    return first_of(cls.__mro__, name)


def first_of(bases: tuple[type, ...], name: str) -> Any:
    for base in bases:
        if name in base.__dict__:
            return base.__dict__[name]
    return MISSING


def special(cx: Context, x: Operand, name: str, node: gast.AST) -> Operand | None:
    """The special method `name` of an object, bound; None where its class has none."""
    cls = class_of(cx, x)
    found = MISSING if cls is None else member(cls, name)
    if cls is None or found is MISSING or found is None or found is getattr(object, name, MISSING):
        return None
    if classes.is_generated(found):  # by `dataclasses`: handled where it is used
        return None
    return bound(cx, cls, found, name, x, node)


# --- reading ------------------------------------------------------------------------------------


def attribute(cx: Context, x: Operand, cls: type, name: str, node: gast.AST) -> Operand:
    """`x.name` of an object of class `cls`."""
    if cls.__getattribute__ is not object.__getattribute__:
        _refuse_hook(cx, cls, "__getattribute__", node)
    if name == "__class__":
        return Known(cls)
    if name == "__dict__":
        return namespace(cx, x, node)
    found = subscripts.keys_of(cx, x)
    assert found is not None
    raw = member(cls, name)
    own = name in found[1] and not (isinstance(raw, property) or _is_setting(raw))
    if own:
        return subscripts.child(cx, x, name, node)
    if raw is MISSING or isinstance(raw, types.MemberDescriptorType):
        if member(cls, "__getattr__") is not MISSING:
            _refuse_hook(cx, cls, "__getattr__", node)
        known = [*map(str, found[1]), *(n for n in dir(cls) if not n.startswith("__"))]
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else None
        cx.mismatch(f"{with_article(cls.__name__)} has no attribute `{name}`", node, hint)
    return bound(cx, cls, raw, name, x, node)


def has(cx: Context, x: Operand, cls: type, name: str, node: gast.AST) -> bool:
    found = subscripts.keys_of(cx, x)
    if (found is not None and name in found[1]) or name in ("__class__", "__dict__"):
        return True
    raw = member(cls, name)
    if raw is MISSING and member(cls, "__getattr__") is not MISSING:
        _refuse_hook(cx, cls, "__getattr__", node)
    return raw is not MISSING and not isinstance(raw, types.MemberDescriptorType)


def bound(cx: Context, cls: type, raw: Any, name: str, x: Operand, node: gast.AST) -> Operand:
    """What a member of a class is when it is read of the object `x`."""
    match raw:
        case types.FunctionType():
            return calls.closure_of(cx, raw, node, x)
        case property(fget=types.FunctionType() as getter):
            return calls.call(cx, node, calls.closure_of(cx, getter, node, x), [], {})
        case functools.cached_property(func=types.FunctionType() as getter):
            value = calls.call(cx, node, calls.closure_of(cx, getter, node, x), [], {})
            _put(cx, x, name, value, node)
            return value
        case staticmethod(__func__=function):
            return Known(function)
        case classmethod(__func__=types.FunctionType() as function):
            return calls.closure_of(cx, function, node, Known(cls))
        case Derived():
            return derivatives.of_member(cx, node, raw, x)
    wrapped = getattr(raw, "__wrapped__", None)
    if isinstance(raw, functools._lru_cache_wrapper) and isinstance(wrapped, types.FunctionType):
        return calls.closure_of(cx, wrapped, node, x)
    if hasattr(type(raw), "__get__") and not isinstance(raw, type):
        cx.unsupported(
            f"`{name}` is a {type(raw).__name__} of class {cls.__name__}; such members compute "
            "what they give in a way that is not known at compile time",
            node,
            "use a method, a property or a plain attribute",
        )
    ref = GlobalRef(name, lambda: getattr(cls, name), (id(cls), name))
    return attributes.from_outside(cx, Outside(raw, ref), node)


def of_class(cx: Context, cls: type, name: str, node: gast.AST) -> Operand | None:
    """`Class.name` of a class written in Python; None where it is no member of the class."""
    raw = member(cls, name)
    if raw is MISSING or name.startswith("__") or isinstance(raw, property):
        return None
    if isinstance(raw, types.FunctionType):
        return Known(raw)
    if isinstance(raw, staticmethod | classmethod) or not hasattr(type(raw), "__get__"):
        return bound(cx, cls, raw, name, Known(cls), node)
    return None


def namespace(cx: Context, x: Operand, node: gast.AST) -> Operand:
    """`vars(x)`: a dict that may be read, of an object that does not change any more."""
    cls = class_of(cx, x)
    if cls is None:
        cx.mismatch(f"{joins.describe_operand(x)} has no `__dict__`", node)
    held = subscripts.known_layout(cx, x, node)
    reason = "its `__dict__` was read"
    if isinstance(x, Obj):
        x.frozen = x.frozen or reason
    elif isinstance(x, Value):
        place = cx.heap.place(x)
        cx.heap.sealed.setdefault(place, f"this {cls.__name__} cannot be written: {reason}")
    made = Obj(dict, f"it is the `__dict__` of a {cls.__name__}; assign attributes instead")
    cx.store.set(made, Tup(dict, held.keys, held.items))
    return made


def _is_setting(raw: Any) -> bool:
    """Whether a member of a class also decides what an assignment does (a data descriptor)."""
    return (
        raw is not MISSING
        and not isinstance(raw, types.MemberDescriptorType)
        and hasattr(type(raw), "__set__")
    )


def _refuse_hook(cx: Context, cls: type, name: str, node: gast.AST) -> NoReturn:
    cx.unsupported(
        f"class {cls.__name__} has a `{name}` method: what its attributes are is not known at "
        "compile time",
        node,
        "use properties, or plain attributes",
    )


def written_name(cx: Context, name: str, node: gast.AST) -> str:
    """The name that `x.__name` has in a method of a class: Python puts the class's before it."""
    if not name.startswith("__") or name.endswith("__") or not isinstance(node, gast.Attribute):
        return name
    parts = cx.frame.root.__qualname__.split(".") if cx.frame.root is not None else []
    if len(parts) < 2 or parts[-2] == "<locals>":
        return name
    return f"_{parts[-2].lstrip('_')}{name}"


# --- writing ------------------------------------------------------------------------------------


def set_attribute(cx: Context, x: Operand, name: str, value: Operand, node: gast.AST) -> None:
    """`x.name = value`."""
    if is_bottom(x):
        return
    cls = class_of(cx, x)
    name = written_name(cx, name, node)
    if cls is None:
        _refuse_write(cx, x, name, node)
    if not classes.is_mutable(cls) and not isinstance(x, Obj):
        _refuse_frozen(cx, cls, node)
    hook = member(cls, "__setattr__")
    if hook is not object.__setattr__:
        if classes.is_generated(hook):
            _refuse_frozen(cx, cls, node)
        _refuse_hook(cx, cls, "__setattr__", node)
    raw = member(cls, name)
    if isinstance(raw, property):
        if not isinstance(raw.fset, types.FunctionType):
            cx.mismatch(f"the property `{name}` of a {cls.__name__} cannot be assigned", node)
        calls.call(cx, node, calls.closure_of(cx, raw.fset, node, x), [value], {})
        return
    if _is_setting(raw):
        cx.unsupported(
            f"`{name}` is a {type(raw).__name__} of class {cls.__name__}: what an assignment "
            "does is not known at compile time",
            node,
            "use a property or a plain attribute",
        )
    _put(cx, x, name, value, node)


def _put(cx: Context, x: Operand, name: str, value: Operand, node: gast.AST) -> None:
    cls = class_of(cx, x)
    assert cls is not None
    if not hasattr(cls, "__dict__") or not _takes(cls, name):
        cx.mismatch(f"{with_article(cls.__name__)} has no slot `{name}`", node)
    if _reaches(cx, value, x):
        cx.unsupported(
            f"this {cls.__name__} would hold itself: objects that contain themselves are not "
            "supported",
            node,
            "pass what refers back as an argument instead",
        )
    held = subscripts.known_layout(cx, x, node)
    cx.rewrite(x, held.replaced(name, value), node)


def _takes(cls: type, name: str) -> bool:
    """Whether objects of `cls` can have an attribute `name`."""
    bases = cls.__mro__[:-1]
    return name in classes.slots_of(cls) or any("__dict__" in b.__dict__ for b in bases)


def _reaches(cx: Context, value: Operand, x: Operand) -> bool:
    """Whether `value` is `x`, or holds it."""
    work, seen = [value], set()
    while work:
        one = work.pop()
        if one is x:
            return True
        if isinstance(one, Obj) and one not in seen:
            seen.add(one)
            one = cx.store.get(one)
        if isinstance(one, Tup):
            work += one.items
        if isinstance(one, Closure) and one.receiver is not None:
            work.append(one.receiver)
    return False


def _setattr(cx: Context, node: gast.AST, args: list[Operand], kwargs: Any) -> Operand:
    if len(args) != 3 or kwargs:
        cx.mismatch("setattr takes an object, a name and a value", node)
    set_attribute(cx, args[0], cx.static(args[1], node), args[2], node)
    return Known(None)


def set_raw(cx: Context, node: gast.AST, args: list[Operand], kwargs: Any) -> Operand:
    """`object.__setattr__(x, name, value)`, as the `__init__` of a frozen dataclass has it."""
    if len(args) != 3 or class_of(cx, args[0]) is None:
        cx.mismatch("object.__setattr__ takes an object, a name and a value", node)
    _put(cx, args[0], cx.static(args[1], node), args[2], node)
    return Known(None)


def _vars(cx: Context, node: gast.AST, args: list[Operand], kwargs: Any) -> Operand:
    if len(args) != 1 or kwargs:
        cx.mismatch("vars takes one object here", node)
    return namespace(cx, args[0], node)


def _refuse_frozen(cx: Context, cls: type, node: gast.AST) -> NoReturn:
    cx.unsupported(
        f"{with_article(cls.__name__)} is frozen: its attributes cannot be assigned",
        node,
        "make a new one: `dataclasses.replace(x, name=value)`",
    )


def _refuse_write(cx: Context, x: Operand, name: str, node: gast.AST) -> NoReturn:
    """Attributes of what is no object of a class written in Python."""
    if isinstance(x, Value) and isinstance(x.type, Array | Scalar):
        hint = "use `x.reshape(shape)`" if name == "shape" else "make a new array"
        cx.unsupported(f"the attribute `{name}` of an array cannot be assigned here", node, hint)
    if isinstance(x, Known):
        what = getattr(x.value, "__name__", None) or repr(x.value)
        cx.unsupported(
            f"`{name}` of {what} is a state outside of the function's arguments",
            node,
            "return the value, or keep it in an object that is passed",
        )
    if isinstance(x, Value) and isinstance(x.type, Opaque):
        cx.unsupported(
            f"{joins.describe_operand(x)} is an object of a library: its attributes cannot be "
            "assigned in differentiated code",
            node,
        )
    found = subscripts.keys_of(cx, x)
    if found is not None and issubclass(found[0], tuple) and name in found[1]:
        cx.mismatch(
            f"{with_article(found[0].__name__)} cannot be changed",
            node,
            f"make a new one: `x._replace({name}=value)`",
        )
    cx.mismatch(f"{joins.describe_operand(x)} has no attribute `{name}` to assign", node)


HANDLERS: dict[Any, Any] = {setattr: _setattr, vars: _vars, object.__setattr__: set_raw}
