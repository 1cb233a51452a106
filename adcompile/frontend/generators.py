"""Comprehensions and generator expressions.

Something that runs through a generator at once (a comprehension, `sum(… for …)`, `any(map(…))`) is
lowered as the loop that a person would write in its place: the loop of a *template* (`templates`),
with the clauses of the generator put in. The result is the body of a function of its own, inlined
where it stands, so that its variables are in a scope of their own, as in Python.

A generator in the header of a `for` gives its items one by one, when their turn comes.
"""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import gast

from adcompile.frontend import branches, calls, counting, expressions, jumps, targets, templates
from adcompile.frontend.context import Context
from adcompile.frontend.functions import Code, make_code
from adcompile.frontend.operands import Closure, Generator, Known, Operand, is_bottom
from adcompile.frontend.scopes import Frame
from adcompile.frontend.source import at, get_source
from adcompile.ir import core
from adcompile.ir.core import Value
from adcompile.ir.types import Opaque

if TYPE_CHECKING:
    from adcompile.frontend.counting import Counted, Item

FIRST = "$first"  # the variable that holds what the first clause runs over
FUNCTION = "$function"  # … the function of a `map` or `filter`
ITEMS = "$items"  # … and what `read` reads
_numbers = itertools.count(1)  # of templates that are written out: their variables are their own


# --- making them --------------------------------------------------------------------------------


def expression(cx: Context, node: Any) -> Operand:
    """`(… for … in …)`."""
    first = cx.evaluate(cx, node.generators[0].iter)
    if is_bottom(first):
        return cx.bottom(node)
    return Generator(node, first, cx.frame, {}, cx.builder.block)


def mapped(cx: Context, node: gast.AST, fn: Operand, x: Operand, *, spread: bool) -> Operand:
    """`map(fn, x)`; with `spread` an item of x is a tuple of arguments."""
    name = _argument(fn)
    item: Any = _name(name, node)
    args = [at(gast.Starred(item, gast.Load()), node)] if spread else [item]
    elt = at(gast.Call(_name(FUNCTION, node), args, []), node)
    return _made(cx, node, ("map", name, spread), name, elt, [], fn, x)


def filtered(cx: Context, node: gast.AST, fn: Operand, x: Operand, *, negated: bool) -> Operand:
    """`filter(fn, x)`; those for which `fn` is false, if `negated`."""
    name = _argument(fn)
    item, test = _name(name, node), _name(name, node)
    if not (isinstance(fn, Known) and fn.value is None):
        test = at(gast.Call(_name(FUNCTION, node), [test], []), node)
    if negated:
        test = at(gast.UnaryOp(gast.Not(), test), node)
    return _made(cx, node, ("filter", name, negated), name, item, [test], fn, x)


def read(cx: Context, node: gast.AST, x: Operand, places: Operand) -> Operand:
    """The items of `x` at these places, `(x[i] for i in places)`."""
    name = "$place"
    elt = at(gast.Subscript(_name(ITEMS, node), _name(name, node), gast.Load()), node)
    return _made(cx, node, ("read",), name, elt, [], x, places, ITEMS)


def _argument(fn: Operand) -> str:
    """A name for what a function is given: that of its parameter."""
    if isinstance(fn, Closure):
        params = [*fn.code.args.posonlyargs, *fn.code.args.args][fn.receiver is not None :]
        if len(params) == 1:
            return f"{params[0].id}$"
    return "item$"


def _made(
    cx: Context,
    node: Any,
    key: tuple[Any, ...],
    name: str,
    elt: Any,
    ifs: list[Any],
    given: Operand,
    x: Operand,
    known_as: str = FUNCTION,
) -> Operand:
    clause = gast.comprehension(_name(name, node, gast.Store), _name(FIRST, node), ifs, 0)
    made = _remembered(node, key, lambda: at(gast.GeneratorExp(elt, [at(clause, node)]), node))
    return Generator(made, x, None, {known_as: given}, cx.builder.block)


def is_plain(x: Generator) -> bool:
    """Whether there is an item for each item of the one thing that `x` runs over."""
    return len(x.node.generators) == 1 and not is_filtered(x)


def is_filtered(x: Generator) -> bool:
    """Whether conditions decide how many items there are."""
    while isinstance(x, Generator):
        if len(x.node.generators) > 1 or x.node.generators[0].ifs:
            return True
        x = x.first  # type: ignore[assignment]
    return False


# --- items, one by one --------------------------------------------------------------------------


def item(cx: Context, x: Generator, inner: Item) -> Item:
    """What a generator of one clause makes of an item of what it runs over."""
    (clause,) = x.node.generators
    outer = cx.frame
    path = (outer.path, cx.unrolled, id(x.node))
    frame = Frame(_scope_of(x), x.parent, None, path, outer.depth + 1, closed=True)

    def bind() -> None:
        for name, value in x.bound.items():
            cx.store.set(frame.cell(name), value)
        targets.bind_item(cx, clause.target, inner.value())

    def guard(k: int) -> Callable[[], bool | Value]:
        def test() -> bool | Value:
            with _inside(cx, frame):
                if k == 0:
                    bind()
                return expressions.test(cx, clause.ifs[k])

        return test

    def value() -> Operand:
        with _inside(cx, frame):
            if not clause.ifs:
                bind()
            return cx.evaluate(cx, x.node.elt)

    return counting.Item(value, (*inner.guards, *map(guard, range(len(clause.ifs)))))


@contextmanager
def _inside(cx: Context, frame: Frame) -> Iterator[None]:
    outer = cx.frame
    cx.frame = frame
    yield
    cx.frame = outer


def counted(cx: Context, x: Generator, node: gast.AST) -> Counted:
    """The items of a generator by the positions of what it runs over."""
    if len(x.node.generators) > 1:
        cx.unsupported(
            "a loop over a generator of several `for`s is not supported",
            node,
            "write the loops one inside the other, or make a list first: `[… for … for …]`",
        )
    over = counting.counted(cx, x.first, node)
    step = over.step
    return counting.Counted(
        over.length,
        lambda i: item(cx, x, over.item(i)),
        over.bounds,
        None if step is None else lambda i: item(cx, x, step(i)),
    )


def _scope_of(x: Generator) -> Code:
    def made() -> Code:
        names = _targets(x.node) | set(x.bound)
        return Code("the generator", _no_arguments(), x.node.elt, x.node, frozenset(names))

    return _remembered(x.node, "scope", made)


# --- all at once --------------------------------------------------------------------------------


def consume(
    cx: Context, node: gast.AST, template: Callable[..., Any], x: Operand, **more: Operand
) -> Operand:
    """`template(x, **more)`, its loop written out for the clauses of `x` if it is a generator."""
    if is_bottom(x):
        return cx.bottom(node)
    inner: Any = None
    parent, bound = None, {FIRST: x}
    if isinstance(x, Generator):
        counting.take(cx, x, node)
        inner, parent, bound = x.node, x.parent, {FIRST: x.first, **x.bound}
    return _run(cx, node, template, inner, parent, bound, more)


def _run(
    cx: Context,
    node: gast.AST,
    template: Callable[..., Any],
    inner: Any,
    parent: Frame | None,
    bound: dict[str, Operand],
    more: dict[str, Operand],
) -> Operand:
    """A template, with `inner` as its generator, as a function that is called here."""

    def made() -> tuple[Code, str]:
        suffix = f"${next(_numbers)}"
        return _composed(
            template, inner, (*bound, *(k + suffix for k in more)), suffix, node
        ), suffix

    code, suffix = _remembered(node, (template, id(inner)), made)
    given = {**bound, **{k + suffix: v for k, v in more.items()}}
    return calls.run(cx, node, Closure(code, {}, parent), given)


def inline(cx: Context, node: gast.AST, template: Callable[..., Any], **given: Operand) -> Operand:
    """`template(**given)`, of a template without a loop."""
    return _run(cx, node, template, None, None, {}, given)


def comprehension(cx: Context, node: Any, template: Callable[..., Any], **more: Operand) -> Operand:
    """A comprehension, collected by `template`."""

    def made() -> Any:
        elt = node.elt if hasattr(node, "elt") else _pair(node)
        return at(gast.GeneratorExp(elt, node.generators), node)

    x = expression(cx, _remembered(node, "generator", made))
    return consume(cx, node, template, x, **more)


def _pair(node: gast.DictComp) -> Any:
    return at(gast.Tuple([node.key, node.value], gast.Load()), node)


def check_equal(cx: Context, lengths: list[Operand], node: gast.AST) -> None:
    """Raise, at run time if need be, unless all of these are equal."""
    for length in lengths[1:]:
        same = expressions.compare(cx, gast.Eq, lengths[0], length, node)
        known = expressions.truth(cx, same)
        if known is False:
            cx.mismatch("zip(strict=True) of iterables that differ in length", node)
        if known is None:
            message = Known("zip(strict=True) of iterables that differ in length")
            _raise_unless(cx, cx.value(same, node), ValueError, message, node)


def _raise_unless(
    cx: Context, cond: Value, kind: type[Exception], message: Known, node: gast.AST
) -> None:
    arms = []
    for holds in (True, False):
        outer = cx.enter()
        if not holds:
            error = cx.emit(node, kind, [message], types=[Opaque(kind)])
            cx.here(node).add(core.Raise, [cx.value(error, node)], ())
            cx.dead = True
        arms.append(cx.leave(outer))
    branches.merge(cx, cond, arms[0], arms[1], node)


# --- the loop of a template, with the clauses of a generator ------------------------------------


def _remembered(node: Any, key: Any, make: Callable[[], Any]) -> Any:
    """What was made for a node once is used whenever it is lowered: loops are known by identity."""
    made = getattr(node, "made", None)
    if made is None:
        made = node.made = {}
    if key not in made:
        made[key] = make()
    return made[key]


def _composed(
    template: Callable[..., Any], inner: Any, names: tuple[str, ...], suffix: str, where: gast.AST
) -> Code:
    """The function that a template is for a generator expression."""
    tree = get_source(template).tree
    if isinstance(tree.body[0], gast.Expr):  # its docstring
        body = [_placed(s, where, suffix) for s in tree.body[1:]]
    else:
        body = [_placed(s, where, suffix) for s in tree.body]
    if inner is not None:
        (loop,) = [s for s in body if isinstance(s, gast.For)]
        body[body.index(loop)] = _nested(inner, loop)
    args = _no_arguments()
    args.args = [at(gast.Name(name, gast.Param(), None, None), where) for name in names]
    fields = [template.__name__.rstrip("_"), args, body, [], None, None, []]
    function = at(gast.FunctionDef(*fields), where)
    code = make_code(jumps.remove_jumps(function))
    walrus = set() if inner is None else _walrus(inner)
    return Code(code.name, code.args, code.body, code.node, code.local_names - walrus)


def _nested(inner: Any, loop: Any) -> Any:
    """The clauses of a generator as loops and tests around the body of `loop`."""
    body = [at(gast.Assign([loop.target], inner.elt, None), inner.elt), *loop.body]
    for k, clause in reversed(list(enumerate(inner.generators))):
        for test in reversed(clause.ifs):
            body = [at(gast.If(test, body, []), test)]
        over = clause.iter if k else _name(FIRST, clause.iter)
        body = [at(gast.For(clause.target, over, body, [], None), inner)]
    return body[0]


def _placed(root: Any, where: gast.AST, suffix: str) -> Any:
    """A copy of a piece of a template that stands at `where`.

    Its variables get names that no variable of a program has; what it reads from its module and
    from Python becomes a constant.
    """

    known = vars(templates)

    def copied(node: Any) -> Any:
        if isinstance(node, gast.Name):
            if node.id == "iterable":
                return _name(FIRST, where)
            if isinstance(node.ctx, gast.Load) and node.id in known:
                return at(gast.Constant(known[node.id], None), where)
            if hasattr(builtins, node.id):
                return at(gast.Constant(getattr(builtins, node.id), None), where)
            return at(gast.Name(node.id + suffix, node.ctx, None, None), where)
        cls: Any = type(node)
        new = cls.__new__(cls)
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                value = [copied(v) if isinstance(v, gast.AST) else v for v in value]
            elif isinstance(value, gast.AST):
                value = copied(value)
            setattr(new, field, value)
        return at(new, where)

    return copied(root)


def _targets(node: Any) -> set[str]:
    """The variables of a generator expression."""
    roots = [c.target for c in node.generators]
    return {n.id for r in roots for n in gast.walk(r) if isinstance(n, gast.Name)}


def _walrus(node: Any) -> set[str]:
    """What is assigned inside of an expression belongs to the function around it."""
    return {n.target.id for n in gast.walk(node) if isinstance(n, gast.NamedExpr)}


def _no_arguments() -> Any:
    return gast.arguments([], [], None, [], [], None, [])


def _name(name: str, where: Any, ctx: type = gast.Load) -> Any:
    return at(gast.Name(name, ctx(), None, None), where)
