"""Parameter trees: nested containers that hold arrays, taken apart and put together again.

A *node* is a tuple, list, dict, named tuple or dataclass instance, frozen ones included. `None` is
a node without children: it holds no leaf, so an absent bias needs no special case. Everything else
is a *leaf*, other subclasses of the containers too.

Leaves come in the order of positions, of fields, and of insertion for dicts. Where one tree is
compared with the structure of another, dicts match by their keys, in any order.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any

__all__ = ["Structure", "flatten", "leaves", "leaves_like", "map_leaves", "paths", "unflatten"]


@dataclasses.dataclass(frozen=True, slots=True)
class Structure:
    """What is left of a tree without its leaves: hashable, comparable, fit for a cache key.

    `kind` is the type of the node, `keys` its positions, dict keys or field names, and `children`
    holds one structure for each key. A leaf is the structure `LEAF`. Two structures are equal only
    if their dicts also agree in order.
    """

    kind: type
    keys: tuple[Any, ...] = ()
    children: tuple[Structure, ...] = ()

    @property
    def size(self) -> int:
        """The number of leaves."""
        return 1 if self.kind is _Leaf else sum(child.size for child in self.children)

    def __str__(self) -> str:
        if self.kind is _Leaf or self.kind is type(None):
            return "a leaf" if self.kind is _Leaf else "None"
        if self.kind is tuple or self.kind is list:
            return f"a {self.kind.__name__} of length {len(self.keys)}"
        names = ", ".join(map(repr, self.keys)) or "(none)"
        return f"a {self.kind.__name__} with {'keys' if self.kind is dict else 'fields'} {names}"


class _Leaf:
    """The kind of a structure that is a leaf."""


LEAF = Structure(_Leaf)


def leaves(tree: Any) -> list[Any]:
    """Return the leaves of `tree`, in order."""
    return flatten(tree)[0]


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """Return the leaves of `tree`, in order, and the structure that held them."""
    found: list[Any] = []

    def visit(node: Any) -> Structure:
        kind, keys = _node(node)
        if kind is _Leaf:
            found.append(node)
            return LEAF
        return Structure(kind, keys, tuple([visit(child) for child in _children(node, keys)]))

    structure = visit(tree)
    return found, structure


def unflatten(structure: Structure, leaves: Sequence[Any]) -> Any:
    """Put `leaves` into a new tree of this `structure`: the inverse of `flatten`.

    Dataclasses are filled field by field; neither `__init__` nor `__post_init__` runs, since a tree
    may for a while hold leaves (paths, shapes, gradients) that a check on parameters would refuse.

    Raises:
        ValueError: if there are more or fewer leaves than the structure has places.
    """
    remaining = iter(leaves)

    def build(structure: Structure) -> Any:
        if structure.kind is _Leaf:
            return next(remaining)
        return _make(structure, [build(child) for child in structure.children])

    if structure.size != len(leaves):
        raise ValueError(f"expected {structure.size} leaves, got {len(leaves)}")
    return build(structure)


def leaves_like(structure: Structure, tree: Any, root: str = "tree") -> list[Any]:
    """Return the leaves of `tree` in the order of `structure`, which it must have.

    Raises:
        ValueError: if it has not; names the place, by a path that starts with `root`, and says
            what was expected there and what was found.
    """
    found: list[Any] = []

    def visit(expected: Structure, node: Any, steps: tuple[tuple[type, Any], ...]) -> None:
        kind, keys = _node(node)
        if kind is not expected.kind or not (
            keys == expected.keys or (kind is dict and set(keys) == set(expected.keys))
        ):
            path = root + "".join(_step(*step) for step in steps)
            got = f"a leaf ({type(node).__name__})" if kind is _Leaf else Structure(kind, keys)
            raise ValueError(f"{path}: expected {expected}, got {got}")
        if kind is _Leaf:
            found.append(node)
        children = _children(node, expected.keys)
        for key, child, like in zip(expected.keys, children, expected.children, strict=True):
            visit(like, child, (*steps, (kind, key)))

    visit(structure, tree, ())
    return found


def map_leaves(f: Callable[..., Any], *trees: Any) -> Any:
    """Apply `f` to the corresponding leaves of `trees`; the results make a tree like the first.

    Raises:
        ValueError: if a tree has another structure than the first; names the place.
    """
    if not trees:
        raise TypeError("map_leaves needs at least one tree")
    first, structure = flatten(trees[0])
    others = [leaves_like(structure, tree, f"trees[{i}]") for i, tree in enumerate(trees[1:], 1)]
    return unflatten(structure, [f(*args) for args in zip(first, *others, strict=True)])


def paths(tree: Any, root: str = "params") -> list[str]:
    """Return one readable path for each leaf, such as `params["W1"]` or `params[0].b`."""
    return list(_places(flatten(tree)[1], root))


def _places(structure: Structure, path: str) -> Iterator[str]:
    if structure.kind is _Leaf:
        yield path
    for key, child in zip(structure.keys, structure.children, strict=True):
        yield from _places(child, path + _step(structure.kind, key))


def _node(node: Any) -> tuple[type, tuple[Any, ...]]:
    """The kind and the keys of a node, or those of `LEAF`."""
    kind = type(node)
    if kind is tuple or kind is list:
        return kind, tuple(range(len(node)))
    if kind is dict:
        return kind, tuple(node)
    fields = _fields(kind)
    return (_Leaf, ()) if fields is None else (kind, fields)


def _children(node: Any, keys: tuple[Any, ...]) -> Sequence[Any]:
    kind = type(node)
    if kind is tuple or kind is list:
        return node
    if kind is dict:
        return [node[key] for key in keys]
    return [getattr(node, key) for key in keys]


def _make(structure: Structure, children: list[Any]) -> Any:
    kind: Any = structure.kind
    if kind is type(None):
        return None
    if kind is tuple or kind is list:
        return kind(children)
    if kind is dict:
        return dict(zip(structure.keys, children, strict=True))
    if not dataclasses.is_dataclass(kind):
        return kind._make(children)
    node = object.__new__(structure.kind)
    for name, child in zip(structure.keys, children, strict=True):
        object.__setattr__(node, name, child)  # also where the dataclass is frozen
    return node


@lru_cache(maxsize=1024)
def _fields(kind: Any) -> tuple[str, ...] | None:
    """The fields of a named tuple or dataclass; none for None; None for the type of a leaf."""
    if kind is type(None):
        return ()
    if issubclass(kind, tuple):
        return getattr(kind, "_fields", None)
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    return None


def _step(kind: type, key: Any) -> str:
    if isinstance(key, str):
        return f"[{json.dumps(key, ensure_ascii=False)}]" if kind is dict else f".{key}"
    return f"[{key!r}]"
