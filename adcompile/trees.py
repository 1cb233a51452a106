"""Parameter trees: nested containers that hold arrays, taken apart and put together again.

A *node* is a tuple, list, dict, named tuple, dataclass instance (frozen ones included) or an object
of a class written in Python, which holds its attributes. `None` is a node without children: it
holds no leaf, so an absent bias needs no special case. Everything else is a *leaf*: numbers and
arrays, other subclasses of the containers, objects of libraries.

An object may hold what is no parameter: a name, a flag, a function. Who flattens a tree says which
attributes are *constants*: they are neither nodes nor leaves.

Leaves come in the order of positions, of fields, and of insertion for dicts. Where one tree is
compared with the structure of another, dicts match by their keys, in any order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from adcompile import classes, runtime

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


class _Constant:
    """The kind of a structure that is no part of the tree: it comes back as None."""


LEAF = Structure(_Leaf)
CONSTANT = Structure(_Constant)


def leaves(tree: Any) -> list[Any]:
    """Return the leaves of `tree`, in order."""
    return flatten(tree)[0]


def flatten(
    tree: Any, is_constant: Callable[[Any], bool] | None = None
) -> tuple[list[Any], Structure]:
    """Return the leaves of `tree`, in order, and the structure that held them.

    `is_constant` tells of what is no node, but somewhere inside an object, whether it is left out.

    Raises:
        ValueError: if the tree is inside itself.
    """
    found: list[Any] = []
    around: list[Any] = []

    def visit(node: Any, inside: bool) -> Structure:
        kind, keys = _node(node)
        if kind is _Leaf:
            if inside and is_constant is not None and is_constant(node):
                return CONSTANT
            found.append(node)
            return LEAF
        if any(node is outer for outer in around):
            raise ValueError(f"a {kind.__name__} is inside itself: a tree has no cycles")
        inside = inside or is_object(kind)
        around.append(node)
        made = [visit(child, inside) for child in _children(node, keys)]
        around.pop()
        return Structure(kind, keys, tuple(made))

    structure = visit(tree, False)
    return found, structure


def is_object(kind: type) -> bool:
    """Whether the nodes of this kind hold attributes: dataclasses, and objects of classes."""
    return kind is not _Leaf and not issubclass(kind, tuple | list | dict | type(None))


def unflatten(structure: Structure, leaves: Sequence[Any]) -> Any:
    """Put `leaves` into a new tree of this `structure`: the inverse of `flatten`.

    Objects are filled attribute by attribute; neither `__init__` nor `__post_init__` runs, since a
    tree may for a while hold leaves (paths, shapes, gradients) that a check on parameters would
    refuse. Constants come back as None.

    Raises:
        ValueError: if there are more or fewer leaves than the structure has places.
    """
    remaining = iter(leaves)

    def build(structure: Structure) -> Any:
        if structure.kind is _Leaf:
            return next(remaining)
        if structure.kind is _Constant:
            return None
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
        if expected.kind is _Constant:
            return
        kind, keys = _node(node)
        if kind is not expected.kind or not has_keys(kind, keys, expected.keys):
            path = root + "".join(step(*taken) for taken in steps)
            got = f"a leaf ({type(node).__name__})" if kind is _Leaf else Structure(kind, keys)
            raise ValueError(f"{path}: expected {expected}, got {got}")
        if kind is _Leaf:
            found.append(node)
        children = _children(node, expected.keys)
        for key, child, like in zip(expected.keys, children, expected.children, strict=True):
            visit(like, child, (*steps, (kind, key)))

    visit(structure, tree, ())
    return found


def has_keys(kind: type, keys: tuple[Any, ...], expected: tuple[Any, ...]) -> bool:
    """Whether a node has the keys it should have; an object may have further attributes."""
    if keys == expected:
        return True
    if kind is dict:
        return set(keys) == set(expected)
    return is_object(kind) and set(keys) >= set(expected)


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
    """Return one readable path for each leaf, such as `params["W1"]` or `params[0].b`.

    `tree` may be a `Structure`.
    """
    structure = tree if isinstance(tree, Structure) else flatten(tree)[1]
    return list(_places(structure, root))


def _places(structure: Structure, path: str) -> Iterator[str]:
    if structure.kind is _Leaf:
        yield path
    for key, child in zip(structure.keys, structure.children, strict=True):
        yield from _places(child, path + step(structure.kind, key))


def _node(node: Any) -> tuple[type, tuple[Any, ...]]:
    """The kind and the keys of a node, or those of `LEAF`."""
    if node is None:
        return type(None), ()
    keys = classes.keys_of(node)
    return (_Leaf, ()) if keys is None else (type(node), keys)


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
    if not is_object(kind):
        return kind._make(children)
    return runtime.instance(kind, **dict(zip(structure.keys, children, strict=True)))


def step(kind: type, key: Any) -> str:
    """How a path goes on from a node of this kind to what it holds under `key`."""
    return f".{key}" if isinstance(key, str) and kind is not dict else f"[{quoted(key)}]"


def quoted(key: Any) -> str:
    """A key in source code: strings in double quotes."""
    import json  # for messages and generated text alone

    return json.dumps(key, ensure_ascii=False) if isinstance(key, str) else repr(key)
