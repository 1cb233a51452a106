"""The head of a function that takes its arguments packed, and the tangents that it is given."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from adcompile import errors, trees
from adcompile.ad import cotangents as cot
from adcompile.ir.builder import Builder
from adcompile.ir.core import Block, Function, Param, Value
from adcompile.ir.types import (
    BOOL,
    INT,
    NONE,
    Array,
    Scalar,
    Seq,
    Tree,
    Type,
    carries_derivative,
    describe,
)
from adcompile.modes.base import Given
from adcompile.modes.packed import Names, positional_names, same_structure


@dataclass(eq=False, slots=True)
class Packed:
    """The head of a function that takes its arguments packed: what it has unpacked them to."""

    names: Names
    given: Given
    b: Builder
    params: list[Param] = field(default_factory=list)
    arguments: dict[str, Value] = field(default_factory=dict)  # of the inner function, by name
    beside: frozenset[int] = frozenset()  # see `Function`

    @staticmethod
    def of(fn: Function, names: Names, given: Given) -> Packed:
        packed = Packed(names, given, Builder(Block(), fn.loc))
        packed._unpack_primals()
        packed._unpack_keywords(fn)
        for p, v in zip(fn.params, fn.block.params, strict=True):
            if p.name not in packed.arguments:  # what the function sees of those around it
                packed.arguments[p.name] = packed.parameter(p.name, v.type)
        return packed

    def parameter(self, name: str, t: Type, kind: str = "POSITIONAL_OR_KEYWORD") -> Value:
        p, at = Value(t, name, self.b.block), len(self.params)
        if self.params and self.params[-1].kind == "VAR_KEYWORD":  # which is the last one
            at -= 1
        self.b.block.params.insert(at, p)
        self.params.insert(at, Param(name, kind))
        return p

    def _unpack_primals(self) -> None:
        primals = self.parameter(self.names.primals, self.given.positional[0])
        positional = positional_names(self.given.inner)
        parts = self.b.unpack(primals) if self.names.items(primals.type) else []
        for name, v in zip(positional, parts, strict=False):
            v.name = name
            self.arguments[name] = v
        for p in self.given.inner.parameters.values():
            if p.kind is p.VAR_POSITIONAL:
                self.arguments[p.name] = self.b.tuple(*parts[len(positional) :])

    def _unpack_keywords(self, fn: Function) -> None:
        named = self.given.named
        if not named:
            return
        t = Tree(dict, tuple(named), tuple(named.values()))
        kwargs = self.parameter(self.names.keywords, t, "VAR_KEYWORD")
        extra: list[str] = []
        for name in named:
            v = self.b.item(kwargs, name)
            if name in self.given.inner.parameters:
                v.name = name
                self.arguments[name] = v
            else:
                extra.append(name)
        for p in self.given.inner.parameters.values():
            if p.kind is p.VAR_KEYWORD:
                rest = [self.b.item(kwargs, name) for name in extra]
                self.arguments[p.name] = self.b.make(dict, extra, rest)

    def tangents(self, wrt: list[str], one: bool) -> dict[str, Value]:
        """The parameter for the tangents, and the tangents of the arguments `wrt`.

        A tangent that is None is zero; with `one`, the parameter is that of one argument itself.
        """
        t = self.given.positional[1]
        primals = [self.arguments[name] for name in wrt]
        if one:
            if isinstance(t, Tree) and t.node is tuple and not isinstance(primals[0].type, Tree):
                own = self.names.tangents
                raise errors.SignatureError(
                    f"`{own}` is the tangent of `{wrt[0]}` itself, not {describe(t)}",
                    hint="leave out the tuple: there is one parameter",
                )
            parts = [self.parameter(self.names.tangents, _sized(t, primals[0].type))]
        else:
            parts = self._unpack_tangents([v.type for v in primals], wrt)
        return self._adapted(dict(zip(wrt, parts, strict=True)))

    def all_tangents(self) -> dict[str, Value]:
        """The tangents of all arguments that are no constants: one is given for each primal."""
        positional = positional_names(self.given.inner)
        own = [name for name in positional if name in self.arguments]
        own = own[: len(self.names.items(self.given.positional[0]))]
        types = [self.arguments[name].type for name in own]
        rest = next((p.name for p in self.given.inner.parameters.values() if _is_rest(p)), None)
        more = self.arguments[rest].type if rest is not None else None
        types += more.items if isinstance(more, Tree) else ()
        parts = self._unpack_tangents(types, own)
        passed = dict(zip(own, parts, strict=False))
        beyond = parts[len(own) :]
        if rest is not None and any(v.type != NONE for v in beyond):
            passed[rest] = self.b.tuple(*beyond)
        return self._adapted({name: v for name, v in passed.items() if v.type != NONE})

    def _adapted(self, passed: dict[str, Value]) -> dict[str, Value]:
        """Tangents in the structure of what they belong to.

        The sizes of those of positional arguments are compared before the call (`Names.alike`).
        """
        positional = positional_names(self.given.inner)
        positional = positional[: len(self.names.items(self.given.positional[0]))]
        return {
            name: adapted(
                self.b,
                self.arguments[name],
                v,
                "tangent",
                name,
                checked=self.given.checked and name in positional,
            )
            for name, v in passed.items()
        }

    def _unpack_tangents(self, primals: Sequence[Type], names: Sequence[str]) -> list[Value]:
        """A parameter for the tangents of values of these types, and what is in it."""
        t = self.given.positional[1]
        given = _as_many(t, len(primals), self.names)
        types = [_sized(g, p) for g, p in zip(given, primals, strict=True)]
        whole = self.parameter(self.names.tangents, Tree(t.node, t.keys, tuple(types)))  # type: ignore[union-attr]
        parts = self.b.unpack(whole) if types else []
        for name, v in zip(names, parts, strict=False):
            v.name = f"{name}_dot"
        return parts


def _is_rest(p: inspect.Parameter) -> bool:
    return p.kind is p.VAR_POSITIONAL


def _as_many(t: Type, count: int, names: Names) -> tuple[Type, ...]:
    if isinstance(t, Tree) and t.node in (tuple, list) and len(t.items) == count:
        return t.items
    raise errors.SignatureError(
        f"`{names.tangents}` is a tuple of {count}, a tangent for each argument, not {describe(t)}",
        hint=f"write `{names.use}`; the tangent of what is constant is None",
    )


# --- tangents that are passed in ----------------------------------------------------------------


def _sized(given: Type, primal: Type) -> Type:
    """The type of a tangent, with the sizes of what it belongs to, which are checked."""
    if isinstance(primal, Tree) and same_structure(primal, given):
        assert isinstance(given, Tree)
        like = dict(zip(primal.keys, primal.items, strict=True))
        pairs = zip(given.keys, given.items, strict=True)
        items = [_sized(item, like[key]) if key in like else item for key, item in pairs]
        return Tree(given.node, given.keys, tuple(items))
    if isinstance(given, Array) and isinstance(primal, Array) and _alike(given, primal):
        return Array(given.dtype, primal.shape)
    return given


def _alike(a: Array, b: Array) -> bool:
    return a.rank == b.rank and all((n == 1) == (m == 1) for n, m in zip(a.shape, b.shape))


def adapted(
    b: Builder,
    primal: Value,
    given: Value,
    noun: str,
    at: str = "value",
    checked: bool = False,
) -> Value:
    """The tangent or cotangent of `primal` in its structure, shape and dtype.

    Where None is given it is zero. The sizes of arrays are compared when the function is called,
    unless they are `checked`. `at` is what the user calls `primal`.
    """
    t = primal.type
    if isinstance(t, Tree) and (given.type == NONE or same_structure(t, given.type)):
        parts = []
        for key in t.keys:
            inside = given if given.type == NONE else b.item(given, key)
            place = at + trees.step(t.node, key)
            parts.append(adapted(b, b.item(primal, key), inside, noun, place, checked))
        return b.make(t.node, t.keys, parts)
    if not carries_derivative(t) and given.type == NONE:
        return b.const(None)
    if carries_derivative(t) and given.type == NONE:
        return cot.zeros(b, primal)
    return _leaf(b, primal, given, noun, at, checked)


def _leaf(b: Builder, primal: Value, given: Value, noun: str, at: str, checked: bool) -> Value:
    t, g, text = primal.type, given.type, f"the {noun} of `{at}`"
    if not carries_derivative(t):
        raise errors.SignatureError(
            f"{text} is {describe(g)}, but that has no derivative", hint="pass None there"
        )
    if isinstance(t, Array) and t.rank:
        if isinstance(g, Array) and t.dtype == g.dtype and _alike(g, t):
            if not checked:
                shapes = [b.member(np.shape, "shape", v) for v in (given, primal)]
                _check(b, shapes[0], shapes[1], f"{text} has another shape than `{at}`")
            return given
    elif isinstance(t, Seq):
        if t == g:
            lengths = [b.call_op(len, [v], types=[INT]).result for v in (given, primal)]
            _check(b, lengths[0], lengths[1], f"{text} has another length than `{at}`")
            return given
    elif isinstance(t, Array | Scalar) and _is_real_number(g):
        to = t.dtype.type if isinstance(t, Array) else float
        return given if g == t else b.call(to, given)
    wrong = f"{text} is {_described(g)}, and `{at}` is {_described(t)}"
    if _described(g) == _described(t):  # but for a dimension of length 1
        wrong = f"{text} has another shape than `{at}`"
    raise errors.SignatureError(
        wrong,
        hint=f"a {noun} has the structure, shape and dtype of what it belongs to",
    )


def _described(t: Type) -> str:
    return str(trees.Structure(t.node, t.keys)) if isinstance(t, Tree) else describe(t)


def _is_real_number(t: Type) -> bool:
    if isinstance(t, Scalar):
        return t.kind in ("float", "int")
    return isinstance(t, Array) and not t.rank and t.dtype.kind == "f"


def _check(b: Builder, x: Value, y: Value, message: str) -> None:
    """Raise a ValueError where `x` and `y` differ, when the function is called."""
    test = b.call_op(operator.ne, [x, y], types=[BOOL]).result
    b.raise_if(test, message)
