"""Functions to be lowered: their parameters, body and local names, read off the tree once."""

from __future__ import annotations

import types
from collections.abc import Set
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import gast

from adcompile.frontend import expand, fence, jumps
from adcompile.frontend.source import Source, get_source


@dataclass(eq=False, slots=True)
class Code:
    """What is written for a function or a lambda, after jumps have been taken out."""

    name: str
    args: gast.arguments
    body: list[gast.stmt] | gast.expr  # a lambda's is an expression
    node: Any  # FunctionDef or Lambda
    local_names: frozenset[str]
    global_names: frozenset[str] = frozenset()  # declared so

    @property
    def free_names(self) -> set[str]:
        """Names that come from outside, those of nested functions included."""
        body = self.body if isinstance(self.body, list) else [self.body]
        nodes: list[Any] = [n for root in body for n in gast.walk(root)]
        names = {n.id for n in nodes if isinstance(n, gast.Name)}
        return names - self.local_names


@lru_cache(maxsize=1024)
def _code_of(source: Source) -> Code:
    fence.check(source)
    return make_code(jumps.remove_jumps(expand.expand(source.tree)))


def code_of(function: types.FunctionType) -> Code:
    """The code of a Python function (raises SourceUnavailable, UnsupportedSyntax)."""
    return _code_of(get_source(function))


def make_code(tree: Any) -> Code:
    """The code of a FunctionDef or Lambda whose jumps have been taken out."""
    a = tree.args
    names = {
        p.id for p in (*a.posonlyargs, *a.args, *a.kwonlyargs, a.vararg, a.kwarg) if p is not None
    }
    body = tree.body
    names |= _assigned(body if isinstance(body, list) else [body])
    declared = fence.declared(tree, gast.Global)
    return Code(
        getattr(tree, "name", "<lambda>"), a, body, tree, frozenset(names), frozenset(declared)
    )


_COMPREHENSIONS = (gast.ListComp, gast.DictComp, gast.SetComp, gast.GeneratorExp)
_SCOPES = (gast.FunctionDef, gast.Lambda, gast.ClassDef, gast.AsyncFunctionDef)


def _assigned(roots: list[Any], without: Set[Any] = frozenset()) -> set[str]:
    names: set[str] = set()
    stack: list[Any] = list(roots)
    while stack:
        node = stack.pop()
        if isinstance(node, gast.Name):
            if isinstance(node.ctx, gast.Store | gast.Del) and node not in without:
                names.add(node.id)
        elif isinstance(node, gast.Import | gast.ImportFrom):
            names.update((a.asname or a.name).split(".")[0] for a in node.names)
        elif isinstance(node, _COMPREHENSIONS):  # their variables are their own
            names.update(n.target.id for n in gast.walk(node) if isinstance(n, gast.NamedExpr))
        elif isinstance(node, _SCOPES):
            if not isinstance(node, gast.Lambda):
                names.add(node.name)
        else:
            stack.extend(gast.iter_child_nodes(node))
            stop = getattr(node, "stop", None)
            if isinstance(stop, str):
                names.add(stop)
            names.update(expand.names_bound(node))
    return names


def rebound_names(body: list[Any]) -> list[str]:
    """Like `assigned_names`, without those of augmented assignments."""
    nodes = (n for root in body for n in gast.walk(root))
    augmented = {n.target for n in nodes if isinstance(n, gast.AugAssign)}
    return sorted(_assigned(body, augmented))


def written_names(body: list[Any]) -> list[str]:
    """The names of what statements write into: `x` of `x[i] = v`, `x.u[0] = v` or `x += v`."""
    found: set[str] = set()
    for node in (n for root in body for n in gast.walk(root)):
        if isinstance(node, gast.AugAssign) and isinstance(node.target, gast.Name):
            found.add(node.target.id)
        if isinstance(node, gast.Subscript | gast.Attribute) and isinstance(node.ctx, gast.Store):
            base: Any = node
            while isinstance(base, gast.Subscript | gast.Attribute):
                base = base.value
            if isinstance(base, gast.Name):
                found.add(base.id)
    return sorted(found)


def assigned_names(body: list[Any]) -> list[str]:
    """The names that statements assign, in a fixed order."""
    return sorted(_assigned(body))
