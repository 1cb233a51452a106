"""Templates: lowered bodies of rules, and their replay in a program.

The sizes in the types of a template are its own; a replay computes them again from those of the
program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

from adcompile.ir import clone, core
from adcompile.ir.builder import Builder
from adcompile.ir.core import Function, Op, Value
from adcompile.ir.effects import has_effect
from adcompile.ir.infer import sizes
from adcompile.ir.types import Array, Dim, Scalar, Seq, Size, Tree, Type

Path = tuple[Any, ...]  # to a leaf of the arguments: the parameter's name, then keys


@dataclass(slots=True)
class Template:
    """A lowered body whose parameters are the leaves of its arguments that it reads."""

    fn: Function
    leaves: list[Path]
    positions: Sequence[int] = (0,)  # of the results among the items of what the body gives
    parts: dict[frozenset[int], Template] = field(default_factory=dict)  # by what is wanted

    def replay(self, b: Builder, bound: Mapping[str, Any], actual: list[Dim]) -> list[Value]:
        leaves = [_leaf(b, bound[path[0]], path[1:]) for path in self.leaves]
        start = len(b.block.ops)
        results = clone.inline(b, self.fn, leaves)
        if len(b.block.ops) > start:
            _Instance(actual).retype(self.fn.block.ops, b.block.ops[start:])
        return results

    def part(self, wanted: frozenset[int]) -> Template:
        """What gives these items alone; it shares the ops, which are never changed."""
        *ops, ret = self.fn.block.ops
        (result,) = ret.operands
        items = result.owner.operands if isinstance(result.owner, core.Make) else [result]
        positions = [k for k in range(len(items)) if k in wanted]
        results = [items[k] for k in positions]
        read = set(results)
        kept: list[Op] = []
        for op in reversed(ops):
            if not read.isdisjoint(op.results) or has_effect(op):
                kept.append(op)
                read.update(v for o in core.walk(core.Block([], [op])) for v in o.operands)
        params = self.fn.block.params
        left = [k for k, p in enumerate(params) if p in read]
        block = core.Block([], [*kept[::-1], core.Return(results, [], ret.loc, ret.order)])
        block.params = [params[k] for k in left]  # whose owner stays the whole body
        fn = Function(self.fn.name, block, self.fn.params, loc=self.fn.loc)
        return Template(fn, [self.leaves[k] for k in left], positions)


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
            found = self.types[id(t)] = map_sizes(t, self.size)
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


def evaluated(n: Dim, known: Mapping[Dim, int]) -> int | None:
    """The number that a size is where some sizes are `known`, if they tell."""
    found = _Instance([], sizes=dict(known)).size(n)
    return found if isinstance(found, int) else None


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


def map_sizes(t: Type, size: Callable[[Size | None], Any]) -> Type:
    match t:
        case Array(dtype, shape):
            new = tuple([size(n) for n in shape])
            return t if new == shape else Array(dtype, new)
        case Scalar(kind, n):
            return t if n is None else Scalar(kind, size(n))
        case Tree(node, keys, items):
            return Tree(node, keys, tuple([map_sizes(item, size) for item in items]))
        case Seq(item):
            return Seq(map_sizes(item, size))
    return t
