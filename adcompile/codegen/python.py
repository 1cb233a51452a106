"""The way out of SSA: from a function of the IR to the text of a Python function.

Jumps come back (`tails`), expressions nest (`nest`), writes find their buffers (`place`, with the
live ranges of `live`), values become variables with names (`names`), and what is left is written
down (`statements`, `terms`, `moves`) as a gast tree, which `printer` turns into text.
"""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from adcompile import runtime
from adcompile.classes import is_object_class, makes_by_fields
from adcompile.codegen import nodes
from adcompile.codegen.lines import locate, numbered
from adcompile.codegen.moves import Moves
from adcompile.codegen.names import assign_names
from adcompile.codegen.nodes import Node, gast
from adcompile.codegen.place import place
from adcompile.codegen.statements import Statements
from adcompile.codegen.symbols import Symbols
from adcompile.codegen.tails import Prepared, prepare
from adcompile.codegen.terms import Terms
from adcompile.ir import core
from adcompile.ir.core import Function, GlobalRef, Loc, Param
from adcompile.ir.types import Tree


@dataclass(slots=True)
class Generated:
    """The text of a function, and what it needs to run.

    `namespace` holds what the text does not import itself; of that, `globals` tells which entries
    are the user's globals, to be read again at each call. `lines` says which line of the user's a
    line of the text comes from.
    """

    text: str
    namespace: dict[str, Any]
    lines: dict[int, Loc]
    imports: list[str]
    globals: dict[str, GlobalRef] = field(default_factory=dict)


def generate(fn: Function) -> Generated:
    """Python source for `fn` (which is not changed) and the functions that it invokes."""
    functions = core.callees(fn)[::-1]  # callees first
    reserved = {p.name for f in functions for p in f.params}
    symbols = Symbols(reserved)
    symbols.fresh(fn.name)
    callees = {f: symbols.fresh(f.name) for f in functions if f is not fn} | {fn: fn.name}
    copies = [prepare(f) for f in functions]
    for copy in copies:
        _reserve(copy.fn, symbols)
    symbols.restart()
    defs = [_definition(copy, callees[f], symbols, callees) for f, copy in zip(functions, copies)]
    imports = sorted(set(symbols.imports.values()), key=lambda s: (s.startswith("from"), s))
    head = "\n".join(imports) + "\n\n\n" if imports else ""
    text, lines = head, {}
    for k, node in enumerate(defs):
        text += "\n\n" if k else ""
        part, places = numbered(node, text.count("\n") + 1)
        text += part
        lines |= places
    return Generated(text, symbols.namespace, lines, imports, symbols.globals)


def _reserve(fn: Function, symbols: Symbols) -> None:
    """Take the names of all that `fn` may refer to, before locals get theirs."""
    for op in core.walk(fn.block):
        text = op.loc.stmt.text
        match op:
            case core.Call() if op.member is None and not nodes.is_operator(op.fn):
                symbols.function(op.fn, text)
            case core.Const(value=value):
                if type(value) not in (int, float) or not abs(value) < math.inf:
                    symbols.constant(value, text)  # (the others are literals, without a name)
            case core.Global():
                symbols.variable(op.source)
            case core.Make() if isinstance(t := op.result.type, Tree):
                symbols.constant(t.node)
                if is_object_class(t.node) and not makes_by_fields(t.node, t.keys):
                    symbols.function(runtime.instance)
            case core.Update():
                for step in op.views:
                    if isinstance(step, core.ViewCall) and step.member is None:
                        symbols.function(step.fn, text)
                if op.mode == "add.at":
                    symbols.function(np.add)
            case core.Partial():
                symbols.function(partial)
            case core.For():
                symbols.taken.update(("range", "reversed", "enumerate", "zip"))


def _definition(
    prepared: Prepared, name: str, symbols: Symbols, callees: dict[Function, str]
) -> Node:
    fn = prepared.fn
    placement = place(fn)
    own = {p.name for p in fn.params}
    names = assign_names(prepared, placement, symbols.taken - symbols.reserved | own)
    terms = Terms(placement.plan, names, symbols, callees)
    moves = Moves(placement, names, terms)
    moves.survey()
    body = Statements(placement, names, terms, moves, beside=fn.beside).function(fn.block)
    if fn.doc:
        body.insert(0, gast.Expr(nodes.literal(inspect.cleandoc(fn.doc).split("\n\n")[0])))
    args = _arguments(fn.params, symbols)
    return locate(gast.FunctionDef(name, args, body or [gast.Pass()], [], None, None, []), fn.loc)


def _arguments(params: list[Param], symbols: Symbols) -> Node:
    groups: dict[str, list[Param]] = {}
    for p in params:
        groups.setdefault(p.kind, []).append(p)
    positional = groups.get("POSITIONAL_ONLY", []) + groups.get("POSITIONAL_OR_KEYWORD", [])
    only = groups.get("KEYWORD_ONLY", [])

    def names(group: list[Param]) -> list[Node]:
        return [gast.Name(p.name, gast.Param(), None, None) for p in group]

    def default(p: Param) -> Node:
        return None if p.default is core.MISSING else symbols.constant(p.default)

    vararg, kwarg = (names(groups.get(k, [])) for k in ("VAR_POSITIONAL", "VAR_KEYWORD"))
    return gast.arguments(
        names(groups.get("POSITIONAL_OR_KEYWORD", [])),
        names(groups.get("POSITIONAL_ONLY", [])),
        vararg[0] if vararg else None,
        names(only),
        [default(p) for p in only],
        kwarg[0] if kwarg else None,
        [default(p) for p in positional if p.default is not core.MISSING],
    )
