"""Putting the body of a rule into a program.

A body is lowered by the frontend like any other Python function, once for each pattern of argument
types: dtypes, ranks, which sizes are equal, 1 or known not to be 1, and what is constant. The
resulting template is then replayed, op by op, wherever the rule is used: sizes of the template are
replaced by those of the program, which costs microseconds.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np

from adcompile import errors
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Function, Value
from adcompile.ir.infer import known, sizes
from adcompile.ir.types import Array, Dim, Scalar, Seq, Size, Static, Tree, Type
from adcompile.rules.registry import COMPILE_TIME, Part, Rules, lookup
from adcompile.rules.template import Path, Template, map_sizes

Body = Callable[..., Any]


def apply(
    b: Builder, body: Body | Part, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None
) -> Value:
    """The result of `body(*args, **kwargs)`, its ops appended to `b`'s block.

    Arguments are IR values, tuples or lists of arguments, or Python constants. A tuple result is a
    value made by `Make`; `Const`s of None and NotImplemented stand for themselves.
    Raises MissingRule if the body does not take the arguments.
    """
    if isinstance(body, Part):
        found = apply_parts(b, body.body, args, kwargs or {}, frozenset([body.index]))
        return found.get(body.index) or b.const(NotImplemented)
    template, bound, actual = _template(b, body, args, kwargs or {})
    (result,) = template.replay(b, bound, actual)
    return result


def rules_of(op: core.Call) -> Rules:
    """How the function that `op` calls differentiates; MissingRule if nobody has said it."""
    rules = lookup(op.fn)
    if rules is None:
        name = _name(op)
        raise errors.MissingRule(
            f"no derivative is known for `{name}`, and a differentiated value goes into it",
            op.loc,
            f"give a rule for `{name}`, or use stop_gradient(...) on what goes in",
        )
    return rules


def missing(op: core.Call, k: int | None) -> errors.MissingRule:
    """The error for an operand that no rule of the function covers as it is called here."""
    message = f"`{_name(op)}` has no derivative in this form with respect to argument {k}"
    return errors.MissingRule(message, op.loc)


def _name(op: core.Call) -> str:
    return getattr(op.fn, "__name__", repr(op.fn))


def result_type(
    stand_in: Body, args: Sequence[Value], kwargs: Mapping[str, Value]
) -> Type | tuple[Type, ...]:
    """The type of what `stand_in` returns: several for a tuple."""
    found = apply(Builder(core.Block()), stand_in, args, kwargs).type
    several = isinstance(found, Tree) and found.node is tuple and len(found.items) > 1
    return found.items if several else found  # type: ignore[union-attr]


def apply_parts(
    b: Builder,
    body: Body,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    wanted: frozenset[int],
) -> dict[int, Value]:
    """Like `apply`, for a body that gives a tuple: its items by position, those wanted alone.

    What only the other items are made of is not made. A body that gives no tuple has one item.
    """
    template, bound, actual = _template(b, body, args, kwargs)
    part = template.parts.get(wanted)
    if part is None:
        part = template.parts[wanted] = template.part(wanted)
    return dict(zip(part.positions, part.replay(b, bound, actual), strict=True))


def _template(
    b: Builder, body: Body, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> tuple[Template, dict[str, Any], list[Dim]]:
    """The template for these arguments, they by name, and the sizes that occur in them."""
    while isinstance(body, partial):
        args, body = (*body.args, *args), body.func
    bound = _bind(b, body, args, kwargs)
    pattern = Pattern()
    key = (body, *[(name, pattern.key(x)) for name, x in bound.items()])
    template = _templates.get(key)
    if template is None:
        template = _templates[key] = _lower(b, body, args, kwargs, pattern)
    return template, bound, pattern.sizes


def check_form(
    b: Builder, body: Body | Part, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None
) -> None:
    """Raise MissingRule if `body` does not take these arguments."""
    body = body.body if isinstance(body, Part) else body
    while isinstance(body, partial):
        args, body = (*body.args, *args), body.func
    _bind(b, body, args, kwargs or {})


_templates: dict[Hashable, Template] = {}


@cache
def _places(body: Body, positional: int, keywords: tuple[str, ...]) -> dict[str, Any]:
    """Where each parameter's argument is: a position, a keyword, or all of a starred one's."""
    signature = inspect.signature(body)
    empty = {inspect.Parameter.VAR_POSITIONAL: (), inspect.Parameter.VAR_KEYWORD: {}}
    starred = {p.name: empty[p.kind] for p in signature.parameters.values() if p.kind in empty}
    bound = signature.bind(*range(positional), **{k: k for k in keywords})
    return starred | bound.arguments


def _bind(b: Builder, body: Body, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by the names of the parameters that they are for."""
    try:
        places = _places(body, len(args), tuple(kwargs))
    except TypeError as e:
        raise errors.MissingRule(f"no rule for this form of the call: {e}", b.loc) from None

    return {
        name: args[place] if isinstance(place, int) else _pick(place, args, kwargs)
        for name, place in places.items()
    }


def _pick(place: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    match place:
        case str():
            return kwargs[place]
        case tuple():
            return tuple([args[i] for i in place])
    return {k: kwargs[k] for k in place}


# --- the pattern of the arguments ---------------------------------------------------------------


@dataclass(slots=True)
class Pattern:
    """Numbers the distinct sizes of some types in the order of their appearance."""

    sizes: list[Dim] = field(default_factory=list)
    numbers: dict[Dim, Dim] = field(default_factory=dict)

    def size(self, n: Size | None) -> Size | None:
        if not isinstance(n, Dim):
            return n
        found = self.numbers.get(n)
        if found is None:
            found = self.numbers[n] = Dim(sizes.Key("template", len(self.sizes)), n.many)
            self.sizes.append(n)
        return found

    def key(self, x: Any) -> Hashable:
        """What the lowering of a body may depend on in one argument."""
        if isinstance(x, Value):
            if x.type.__class__ is Array and x.owner.__class__ is not core.Const:
                return self._type_key(x.type)
            constant = known(x)
            if constant is not core.MISSING:
                return self.key(constant)
            if isinstance(x.owner, core.Make):
                assert isinstance(x.type, Tree)
                return (x.type.node, x.type.keys, *map(self.key, x.owner.operands))
            return self._type_key(x.type)
        if isinstance(x, tuple | list):
            return (type(x), *map(self.key, x))
        if isinstance(x, dict):
            return (dict, *[(k, self.key(v)) for k, v in x.items()])
        return _constant_key(x)

    def _type_key(self, t: Type) -> Hashable:
        match t:
            case Array(dtype, shape):
                return ("array", dtype, *map(self.size, shape))
            case Scalar(kind, size):
                return ("scalar", kind, self.size(size))
            case Tree(node, keys, items):
                return (node, keys, *map(self._type_key, items))
            case Seq(item):
                return ("seq", self._type_key(item))
        return t

    def type(self, x: Any) -> Type:
        """The type of an argument, with the sizes of the template."""
        if isinstance(x, Value):
            constant = known(x)
            if constant is not core.MISSING:
                return self.type(constant)
            if isinstance(x.owner, core.Make):
                assert isinstance(x.type, Tree)
                items = tuple([self.type(v) for v in x.owner.operands])
                return Tree(x.type.node, x.type.keys, items)
            return self.retyped(x.type)
        if isinstance(x, tuple | list):
            return Tree(type(x), tuple(range(len(x))), tuple([self.type(v) for v in x]))
        if isinstance(x, dict):
            return Tree(dict, tuple(x), tuple([self.type(v) for v in x.values()]))
        if isinstance(x, np.integer):
            return Static(int(x))  # an axis
        return Array(x.dtype, x.shape) if isinstance(x, np.ndarray | np.generic) else Static(x)

    def retyped(self, t: Type) -> Type:
        return map_sizes(t, self.size)


def _constant_key(x: Any) -> Hashable:
    if isinstance(x, np.integer):
        return (int, int(x))
    if isinstance(x, np.ndarray | np.generic):
        return ("array", x.dtype, *x.shape)
    if isinstance(x, float):
        return (float, repr(x))  # tells 0.0 from -0.0, and nan is itself
    return (type(x), x)


# --- lowering -------------------------------------------------------------------------------------


def _lower(
    b: Builder,
    body: Body,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    pattern: Pattern,
) -> Template:
    from adcompile.frontend import fold, narrow  # the frontend looks up rules itself
    from adcompile.frontend.lower import lower_function
    from adcompile.frontend.wanted import FIXED, READ, NeedStatic

    fold.PURE.update(COMPILE_TIME)

    types = [pattern.type(x) for x in args]
    named = {k: pattern.type(x) for k, x in kwargs.items()}
    token, reading = FIXED.set(frozenset()), READ.set(None)  # a template outlives the compilation
    precision = narrow.DTYPE.set(narrow.dtype_of([*types, *named.values()]))
    try:
        fn = lower_function(body, types, named)
    except NeedStatic:
        raise errors.MissingRule(
            f"the rule in {body.__module__} needs a value at compile time", b.loc
        ) from None
    finally:
        FIXED.reset(token)
        READ.reset(reading)
        narrow.DTYPE.reset(precision)
    return _by_leaves(fn)


def _by_leaves(fn: Function) -> Template:
    """Make the leaves of tree parameters parameters of their own."""
    paths: dict[Value, Path] = {
        v: (p.name,) for v, p in zip(fn.block.params, fn.params, strict=True)
    }
    ops = []
    for op in fn.block.ops:
        tree = paths.get(op.operands[0]) if isinstance(op, core.Item | core.Unpack) else None
        if tree is None:
            ops.append(op)
        elif isinstance(op, core.Item):
            paths[op.result] = (*tree, op.key)
        else:
            t = op.operands[0].type
            assert isinstance(t, Tree)
            paths.update((r, (*tree, key)) for r, key in zip(op.results, t.keys, strict=True))
    fn.block.ops = ops
    arrays: dict[Type, Type] = {}
    for op in core.walk(fn.block):
        for r in op.results:
            if isinstance(r.type, Array):
                r.type = arrays.setdefault(r.type, r.type)
    used = core.use_counts(fn.block)
    fn.block.params = [v for v in paths if v in used]
    return Template(fn, [paths[v] for v in fn.block.params])
