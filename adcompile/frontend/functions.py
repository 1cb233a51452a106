"""Functions to be lowered: their parameters, body and local names, read off the tree once."""

from __future__ import annotations

import types
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import gast

from adcompile.frontend import fence, jumps
from adcompile.frontend.source import Source, get_source


@dataclass(eq=False, slots=True)
class Code:
    """What is written for a function or a lambda, after jumps have been taken out."""

    name: str
    args: gast.arguments
    body: list[gast.stmt] | gast.expr  # a lambda's is an expression
    node: Any  # FunctionDef or Lambda
    local_names: frozenset[str]

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
    return make_code(jumps.remove_jumps(source.tree))


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
    return Code(getattr(tree, "name", "<lambda>"), a, body, tree, frozenset(names))


_SCOPES = (gast.FunctionDef, gast.Lambda, gast.ClassDef, gast.AsyncFunctionDef)


def _assigned(roots: list[Any]) -> set[str]:
    names: set[str] = set()
    stack: list[Any] = list(roots)
    while stack:
        node = stack.pop()
        if isinstance(node, gast.Name):
            if isinstance(node.ctx, gast.Store | gast.Del):
                names.add(node.id)
        elif isinstance(node, gast.Import | gast.ImportFrom):
            names.update((a.asname or a.name).split(".")[0] for a in node.names)
        elif isinstance(node, _SCOPES):
            if not isinstance(node, gast.Lambda):
                names.add(node.name)
        else:
            stack.extend(gast.iter_child_nodes(node))
            stop = getattr(node, "stop", None)
            if isinstance(stop, str):
                names.add(stop)
    return names


def assigned_names(body: list[Any]) -> list[str]:
    """The names that statements assign, in a fixed order."""
    return sorted(_assigned(body))
