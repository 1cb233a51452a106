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
from functools import cache, partial, reduce
from typing import Any

import numpy as np

from adcompile import errors
from adcompile.ir import clone, core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Function, Op, Value
from adcompile.ir.infer import known, sizes
from adcompile.ir.types import Array, Dim, Scalar, Seq, Size, Static, Tree, Type
from adcompile.rules.registry import COMPILE_TIME

Body = Callable[..., Any]
Path = tuple[Any, ...]  # to a leaf of the arguments: the parameter's name, then keys


def apply(
    b: Builder, body: Body, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None
) -> Value:
    """The result of `body(*args, **kwargs)`, its ops appended to `b`'s block.

    Arguments are IR values, tuples or lists of arguments, or Python constants. A tuple result is a
    value made by `Make`; `Const`s of None and NotImplemented stand for themselves.
    Raises MissingRule if the body does not take the arguments.
    """
    while isinstance(body, partial):
        args, body = (*body.args, *args), body.func
    bound = _bind(b, body, args, kwargs or {})
    pattern = Pattern()
    key = (body, *[(name, pattern.key(x)) for name, x in bound.items()])
    template = _templates.get(key)
    if template is None:
        template = _templates[key] = _lower(b, body, args, kwargs or {}, pattern)
    return template.replay(b, bound, pattern.sizes)


def check_form(
    b: Builder, body: Body, args: Sequence[Any], kwargs: Mapping[str, Any] | None = None
) -> None:
    """Raise MissingRule if `body` does not take these arguments."""
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

    def pick(place: Any) -> Any:
        match place:
            case int():
                return args[place]
            case str():
                return kwargs[place]
            case tuple():
                return tuple([args[i] for i in place])
        return {k: kwargs[k] for k in place}

    return {name: pick(place) for name, place in places.items()}


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
        if t.__class__ is Array:
            return ("array", t.dtype, *map(self.size, t.shape))  # pyright: ignore
        match t:
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
        return _map_sizes(t, self.size)


def _constant_key(x: Any) -> Hashable:
    if isinstance(x, np.integer):
        return (int, int(x))
    if isinstance(x, np.ndarray | np.generic):
        return ("array", x.dtype, *x.shape)
    if isinstance(x, float):
        return (float, repr(x))  # tells 0.0 from -0.0, and nan is itself
    return (type(x), x)


def _map_sizes(t: Type, size: Callable[[Size | None], Any]) -> Type:
    match t:
        case Array(dtype, shape):
            new = tuple([size(n) for n in shape])
            return t if new == shape else Array(dtype, new)
        case Scalar(kind, n):
            return t if n is None else Scalar(kind, size(n))
        case Tree(node, keys, items):
            return Tree(node, keys, tuple([_map_sizes(item, size) for item in items]))
        case Seq(item):
            return Seq(_map_sizes(item, size))
    return t


# --- templates ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Template:
    """A lowered body whose parameters are the leaves of its arguments that it reads."""

    fn: Function
    leaves: list[Path]

    def replay(self, b: Builder, bound: Mapping[str, Any], actual: list[Dim]) -> Value:
        leaves = [_leaf(b, bound[path[0]], path[1:]) for path in self.leaves]
        start = len(b.block.ops)
        (result,) = clone.inline(b, self.fn, leaves)
        _Instance(actual).retype(self.fn.block.ops, b.block.ops[start:])
        return result


def _leaf(b: Builder, x: Any, path: Path) -> Value:
    for k, key in enumerate(path):
        if isinstance(x, Value):
            if not isinstance(x.owner, core.Make):
                return _items(b, x, path[k:])
            assert isinstance(x.type, Tree)
            x = x.owner.operands[x.type.keys.index(key)]
        else:
            x = x[key]
    return _value(b, x)


def _items(b: Builder, x: Value, path: Path) -> Value:
    for key in path:
        x = b.item(x, key)
    return x


def _value(b: Builder, x: Any) -> Value:
    """An argument as one value."""
    if isinstance(x, tuple | list):
        return b.make(type(x), range(len(x)), [_value(b, v) for v in x])
    if isinstance(x, dict):
        return b.make(dict, tuple(x), [_value(b, v) for v in x.values()])
    return b.value(x)


@dataclass(slots=True)
class _Instance:
    """One use of a template: what its sizes are in the program."""

    actual: list[Dim]
    values: dict[Value, Value] = field(default_factory=dict)
    sizes: dict[Dim, Size] = field(default_factory=dict)
    types: dict[int, Type] = field(default_factory=dict)  # by identity: templates share them

    def retype(self, old: Sequence[Op], new: Sequence[Op]) -> None:
        """Give the results of `new`, copies of `old`, the types that they have in the program."""
        for a, b in zip(old, new, strict=False):  # the template also has a Return
            for r, s in zip(a.results, b.results, strict=True):
                self.values[r] = s
                s.type = self.type(s.type)
            for inner, copy in zip(a.blocks, b.blocks, strict=True):
                for p, q in zip(inner.params, copy.params, strict=True):
                    self.values[p] = q
                    q.type = self.type(q.type)
                self.retype(inner.ops, copy.ops)

    def type(self, t: Type) -> Type:
        found = self.types.get(id(t))
        if found is None:
            found = self.types[id(t)] = _map_sizes(t, self.size)
        return found

    def size(self, n: Any) -> Any:
        if not isinstance(n, Dim):
            return n
        found = self.sizes.get(n)
        if found is None:
            found = self.sizes[n] = self._derive(n)
        return found

    def _derive(self, n: Dim) -> Size:
        """A size of the template, computed again from those of the program."""
        if not isinstance(n.key, sizes.Key):
            return Dim.fresh(n.many)
        key: tuple[Any, ...] = n.key.parts
        kind, *parts = key
        if kind == "template":
            return self.actual[parts[0]]
        if kind == "number":
            return sizes.number(self.values.get(parts[0], parts[0]))
        if kind == "sum":
            pairs, constant = parts
            total: Size = constant
            for atom, factor in pairs:
                total = sizes.add(total, self.size(atom), factor)
            return total
        if kind == "prod":
            return sizes.product(self.size(a) for a, power in parts[0] for _ in range(power))
        if kind in _MEETINGS:
            return reduce(_MEETINGS[kind], [self.size(member) for member, _ in parts[0]])
        given = [self.size(p) for p in parts]
        return (
            _REBUILD[kind](*given) if kind in _REBUILD else sizes.derived(kind, *given, many=n.many)
        )


_MEETINGS: dict[str, Callable[[Size, Size], Size]] = {
    "broadcast": sizes.broadcast_sizes,
    "least": sizes.smaller,
}
_REBUILD: dict[str, Callable[..., Size]] = {
    "clip": sizes.as_length,
    "quotient": sizes.quotient,
    "floordiv": sizes.floordiv,
    "slice": sizes.slice_length,
}


def _lower(
    b: Builder,
    body: Body,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    pattern: Pattern,
) -> Template:
    from adcompile.frontend import fold  # the frontend looks up rules itself
    from adcompile.frontend.lower import lower_function
    from adcompile.frontend.wanted import FIXED, NeedStatic

    fold.PURE.update(COMPILE_TIME)

    types = [pattern.type(x) for x in args]
    token = FIXED.set(frozenset())  # a template outlives what is known of globals now
    try:
        fn = lower_function(body, types, {k: pattern.type(x) for k, x in kwargs.items()})
    except NeedStatic:
        raise errors.MissingRule(
            f"the rule in {body.__module__} needs a value at compile time", b.loc
        ) from None
    finally:
        FIXED.reset(token)
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
