"""Making objects: what calling a class does, in differentiated code.

`__init__` and `__post_init__` are lowered like any other method, with a new object as `self`. The
`__init__` that `dataclasses` writes has no source: what it does is done here.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
from typing import Any

import gast
import numpy as np

from adcompile import classes
from adcompile.frontend import calls, expressions, objects, subscripts
from adcompile.frontend.context import Context
from adcompile.frontend.operands import Known, Obj, Operand, Tup
from adcompile.ir.core import Value
from adcompile.ir.types import Array, Opaque

Args = list[Operand]
Kwargs = dict[str, Operand]


def construct(cx: Context, node: gast.AST, cls: type, args: Args, kwargs: Kwargs) -> Operand:
    """`cls(*args, **kwargs)`."""
    if issubclass(cls, BaseException):
        return cx.emit(node, cls, args, kwargs, types=[Opaque(cls)])
    if issubclass(cls, tuple) and hasattr(cls, "_fields"):
        return _named_tuple(cx, node, cls, args, kwargs)
    if issubclass(cls, enum.Enum) and len(args) == 1:
        return Known(cls(cx.static(args[0], node)))
    if cls.__module__.partition(".")[0] in calls.LIBRARIES:
        calls.refuse_functions(cx, node, cls, (*args, *kwargs.values()))
        return cx.emit(node, cls, args, kwargs)
    if not classes.is_object_class(cls):
        cx.unsupported(
            f"objects of class {cls.__name__} cannot be made in differentiated code: it is not a "
            "plain class written in Python",
            node,
            "make it outside and pass it, or use a dataclass or a named tuple",
        )
    return _object(cx, node, cls, args, kwargs)


def _named_tuple(cx: Context, node: gast.AST, cls: Any, args: Args, kwargs: Kwargs) -> Operand:
    fields, defaults = cls._fields, cls._field_defaults
    if len(args) > len(fields):
        cx.mismatch(f"{cls.__name__} takes {len(fields)} arguments, {len(args)} are given", node)
    given = dict(zip(fields, args, strict=False))
    for k, v in kwargs.items():
        if k not in fields or k in given:
            problem = "is given twice" if k in given else "is not one of its fields"
            cx.mismatch(f"{cls.__name__}: `{k}` {problem}", node)
        given[k] = v
    for f in fields:
        if f not in given:
            if f not in defaults:
                cx.mismatch(f"{cls.__name__}: `{f}` is missing", node)
            given[f] = calls.default(cx, Known(defaults[f]), node)
    return Tup(cls, fields, tuple([given[f] for f in fields]))


def _object(cx: Context, node: gast.AST, cls: type, args: Args, kwargs: Kwargs) -> Operand:
    if cls.__new__ is not object.__new__:
        own = [b.__name__ for b in cls.__mro__ if "__new__" in b.__dict__]
        if own[0] not in ("Generic", "Protocol"):
            cx.unsupported(
                f"class {cls.__name__} has a `__new__` method: objects of it cannot be made in "
                "differentiated code",
                node,
                "make it outside and pass it",
            )
    missing = getattr(cls, "__abstractmethods__", None)
    if missing:
        cx.mismatch(f"{cls.__name__} is abstract: it has no `{min(missing)}`", node)
    made = Obj(cls)
    cx.store.set(made, Tup(cls, (), ()))
    init = objects.member(cls, "__init__")
    if classes.is_generated(init):
        set_fields(cx, node, cls, made, args, kwargs)
    elif init is not object.__init__:
        found = objects.special(cx, made, "__init__", node)
        assert found is not None
        calls.call(cx, node, found, args, kwargs)
    elif args or kwargs:
        cx.mismatch(f"{cls.__name__} takes no arguments", node)
    return made if classes.is_mutable(cls) else cx.contents(made)


def set_fields(
    cx: Context, node: gast.AST, cls: Any, x: Operand, args: Args, kwargs: Kwargs
) -> Operand:
    """What the `__init__` of a dataclass does: the fields, then `__post_init__`."""
    found = [f for f in cls.__dataclass_fields__.values() if _kind(f) != "_FIELD_CLASSVAR"]
    positional = [f.name for f in found if f.init and not f.kw_only]
    named = {f.name for f in found if f.init}
    if len(args) > len(positional):
        cx.mismatch(
            f"{cls.__name__} takes {len(positional)} arguments, {len(args)} are given", node
        )
    given = dict(zip(positional, args, strict=False))
    for k, v in kwargs.items():
        if k not in named or k in given:
            problem = "is given twice" if k in given else "is not one of its fields"
            cx.mismatch(f"{cls.__name__}: `{k}` {problem}", node)
        given[k] = v
    for_init: list[Operand] = []
    held = subscripts.known_layout(cx, x, node)
    for f in found:
        value = given.get(f.name) or _default(cx, node, cls, f)
        if _kind(f) == "_FIELD_INITVAR":
            if value is not None:
                for_init.append(value)
        elif value is not None:
            held = held.replaced(f.name, value)
    cx.rewrite(x, held, node)
    after = objects.special(cx, x, "__post_init__", node)
    if after is not None:
        calls.call(cx, node, after, for_init, {})
    return Known(None)


def _kind(field: Any) -> str:
    return str(field._field_type)


def _default(cx: Context, node: gast.AST, cls: type, field: Any) -> Operand | None:
    """What a field is that was not passed; None where it stays on the class."""
    if field.default_factory is not dataclasses.MISSING:
        return calls.call(cx, node, Known(field.default_factory), [], {})
    if field.default is not dataclasses.MISSING:
        if not field.init and not classes.slots_of(cls):
            return None
        return calls.default(cx, Known(field.default), node)
    if field.init:
        cx.mismatch(f"{cls.__name__}: `{field.name}` is missing", node)
    return None


# --- the dataclasses module, copies -------------------------------------------------------------


def _dataclass(cx: Context, x: Operand, node: gast.AST, name: str) -> Tup:
    cls = objects.class_of(cx, x)
    if cls is None or not dataclasses.is_dataclass(cls):
        cx.mismatch(f"{name} takes a dataclass object", node)
    return subscripts.known_layout(cx, x, node)


def replace(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """A named tuple or dataclass with other values in some fields."""
    held = subscripts.known_layout(cx, args[0], node)
    if held.node in (tuple, list, dict):
        cx.mismatch(f"a {held.node.__name__} has no fields to replace", node)
    if issubclass(held.node, tuple):
        for k, v in kwargs.items():
            if k not in held.keys:
                cx.mismatch(f"{held.node.__name__}: `{k}` is not one of its fields", node)
            held = held.replaced(k, v)
        return held
    held = _dataclass(cx, args[0], node, "dataclasses.replace")
    given = dict(kwargs)
    for f in held.node.__dataclass_fields__.values():  # type: ignore[attr-defined]
        if _kind(f) == "_FIELD" and f.init and f.name in held.keys:
            given.setdefault(f.name, held.child(f.name))
    return construct(cx, node, held.node, [], given)


def _asdict(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    _dataclass(cx, args[0], node, "dataclasses.asdict")
    return _deep(cx, args[0], node, dict)


def _astuple(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    _dataclass(cx, args[0], node, "dataclasses.astuple")
    return _deep(cx, args[0], node, tuple)


def _fields(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    known = args[0].value if isinstance(args[0], Known) else None
    cls = known if isinstance(known, type) else _dataclass(cx, args[0], node, "fields").node
    return Known(dataclasses.fields(cls))  # type: ignore[arg-type]


def _deep(
    cx: Context,
    x: Operand,
    node: gast.AST,
    to: type | None,
    memo: dict[int, tuple[Operand, Operand]] | None = None,
) -> Operand:
    """A copy of all that `x` holds; dataclasses become dicts or tuples if `to` says so.

    With a `memo`, what is held twice is one object in the copy, too.
    """
    if memo is not None and id(x) in memo:
        return memo[id(x)][1]
    made = _copied(cx, x, node, to, memo)
    if memo is not None:
        memo[id(x)] = (x, made)
    return made


def _copied(cx: Context, x: Operand, node: gast.AST, to: type | None, memo: Any) -> Operand:
    if isinstance(x, Value) and isinstance(x.type, Array) and x.type.rank:
        return cx.emit(node, np.copy, [x])
    held = subscripts.layout(cx, x, node)
    if held is None:
        return x
    keys: tuple[Any, ...] = held.keys
    kind = held.node
    if to is not None and dataclasses.is_dataclass(kind):
        names = {f.name for f in dataclasses.fields(kind)}
        pairs = [(k, i) for k, i in zip(keys, held.items, strict=True) if k in names]
        held = Tup(kind, tuple(k for k, _ in pairs), tuple(i for _, i in pairs))
        kind, keys = to, held.keys if to is dict else tuple(range(len(pairs)))
    made = Tup(kind, keys, tuple([_deep(cx, i, node, to, memo) for i in held.items]))
    mutable = kind in (list, dict) or classes.is_mutable(kind)
    return expressions.new_object(cx, made) if mutable else made


def _shallow_copy(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """`copy.copy(x)`."""
    x = args[0]
    if isinstance(x, Value) and isinstance(x.type, Array) and x.type.rank:
        return cx.emit(node, np.copy, [x])
    held = subscripts.layout(cx, x, node)
    if held is None:
        return x
    _refuse_hooks(cx, held.node, node)
    mutable = held.node in (list, dict) or classes.is_mutable(held.node)
    return expressions.new_object(cx, held) if mutable else held


def _deep_copy(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """`copy.deepcopy(x)`."""
    if objects.class_of(cx, args[0]) is not None:
        _refuse_hooks(cx, subscripts.known_layout(cx, args[0], node).node, node)
    return _deep(cx, args[0], node, None, {})


def _refuse_hooks(cx: Context, cls: type, node: gast.AST) -> None:
    for name in ("__copy__", "__deepcopy__", "__getstate__", "__setstate__", "__reduce_ex__"):
        own = getattr(cls, name, None)
        if own is not None and own is not getattr(object, name, None):
            cx.unsupported(
                f"class {cls.__name__} has a `{name}` method: what a copy is, is not known", node
            )


HANDLERS: dict[Any, Any] = {
    dataclasses.replace: replace,
    dataclasses.asdict: _asdict,
    dataclasses.astuple: _astuple,
    dataclasses.fields: _fields,
    copy.copy: _shallow_copy,
    copy.deepcopy: _deep_copy,
}
