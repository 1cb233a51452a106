"""Functions that make iterables: `zip`, `map`, those of itertools, positions of arrays."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import gast
import numpy as np

from adcompile.frontend import (
    calls,
    collecting,
    consumers,
    counting,
    expressions,
    generators,
    joins,
    subscripts,
    templates,
)
from adcompile.frontend.context import Context
from adcompile.frontend.handlers import Args, Handler, Kwargs, arity, bound, refused
from adcompile.frontend.operands import (
    Generator,
    Iterable,
    Known,
    Operand,
    Slicer,
    is_bottom,
)
from adcompile.ir.core import MISSING, Value
from adcompile.ir.types import Array, Scalar


def made(cx: Context, kind: str, *parts: Operand) -> Iterable:
    """An iterator, which can be run through once."""
    return Iterable(kind, parts, cx.builder.block)


def _range(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "range", args, kwargs, 1, 3)
    for a in args:
        known = cx.known(a)
        t = type(known) if known is not MISSING else getattr(a, "type", None)
        integer = t in (int, bool) or isinstance(known, np.integer)
        if isinstance(t, Scalar):
            integer = t.kind in ("int", "bool")
        elif isinstance(t, Array):
            integer = t.rank == 0 and t.dtype.kind in "iub"
        if not integer and not is_bottom(a):
            cx.mismatch(f"range needs integers, not {joins.describe_operand(a)}", node)
    if len(args) == 1:
        args = [Known(0), args[0]]
    if len(args) == 2:
        args = [*args, Known(1)]
    if cx.known(args[2]) == 0:
        cx.mismatch("range: the step must not be zero", node)
    return Iterable("range", tuple(args))


def _enumerate(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    x, start = bound(cx, node, "enumerate", ("iterable", "start"), args, kwargs)
    assert x is not None
    return made(cx, "enumerate", x, Known(0) if start is None else start)


def _zip(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    if set(kwargs) - {"strict"}:
        cx.mismatch("zip takes iterables and `strict`", node)
    strict = bool(cx.static(kwargs["strict"], node)) if kwargs else False
    return made(cx, "zip strict" if strict else "zip", *args)


def _reversed(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "reversed", args, kwargs, 1, 1)
    x = args[0]
    one_way = isinstance(x, Generator) or (isinstance(x, Iterable) and x.made is not None)
    if one_way:
        cx.mismatch(f"{joins.describe_operand(x)} cannot be run through backwards", node)
    return made(cx, "reversed", x)


def _iter(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "iter", args, kwargs, 1, 1)
    once = isinstance(args[0], Generator) or (isinstance(args[0], Iterable) and args[0].made)
    return args[0] if once else made(cx, "iter", args[0])


def _map(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    if len(args) < 2 or kwargs:
        cx.mismatch("map takes a function and iterables", node)
    fn, *parts = args
    if len(parts) == 1:
        return generators.mapped(cx, node, fn, parts[0], spread=False)
    return generators.mapped(cx, node, fn, made(cx, "zip", *parts), spread=True)


def _starmap(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "starmap", args, kwargs, 2, 2)
    return generators.mapped(cx, node, args[0], args[1], spread=True)


def _filter(negated: bool) -> Handler:
    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        arity(cx, node, "filter", args, kwargs, 2, 2)
        return generators.filtered(cx, node, args[0], args[1], negated=negated)

    return handler


# --- itertools ----------------------------------------------------------------------------------


def _product(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    if set(kwargs) - {"repeat"}:
        cx.mismatch("product takes iterables and `repeat`", node)
    repeat = cx.static(kwargs["repeat"], node) if kwargs else 1
    parts: list[Operand] = []
    for x in args:  # it runs through each of them before it gives anything
        once = isinstance(x, Generator) or (isinstance(x, Iterable) and x.made is not None)
        parts.append(collecting.listed(cx, node, x) if once else x)
    return made(cx, "product", *parts * repeat)


def _chain(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    if kwargs:
        cx.mismatch("chain takes iterables", node)
    return made(cx, "chain", *args)


def _chain_from(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "chain.from_iterable", args, kwargs, 1, 1)
    items = counting.items_of(cx, args[0], node)
    if items is None:
        cx.unsupported(
            "how many things are chained is not known at compile time",
            node,
            "use a list with two `for`s: `[x for xs in xss for x in xs]`",
        )
    return made(cx, "chain", *items)


def _pairwise(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "pairwise", args, kwargs, 1, 1)
    items = counting.items_of(cx, args[0], node)
    if items is not None:
        return _listed(cx, [counting.sequence(list(p)) for p in itertools.pairwise(items)])
    x = _sequence(cx, node, args[0])
    cut = Slicer(Known(1), None, None)
    return made(cx, "zip", x, subscripts.subscript(cx, x, cut, node))


def _islice(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "islice", args, kwargs, 2, 4)
    x, *bounds = args
    if len(bounds) == 1:
        bounds = [Known(None), *bounds]
    parts = [None if isinstance(b, Known) and b.value is None else b for b in bounds]
    cut = Slicer(*[*parts, None, None][:3])
    if isinstance(x, Iterable) and x.kind == "count":
        start, step = x.parts
        if cx.known(step) == 1 and cut.start is None and cut.step is None and cut.stop is not None:
            end = expressions.binary(cx, operator.add, start, cut.stop, node)
            return Iterable("range", (start, end, step))
    items = counting.items_of(cx, x, node)
    if items is not None:
        numbers = [
            None if b is None else cx.static(b, node) for b in (cut.start, cut.stop, cut.step)
        ]
        return _listed(cx, list(itertools.islice(items, *numbers)))
    return made(cx, "iter", subscripts.subscript(cx, _sequence(cx, node, x), cut, node))


def _sequence(cx: Context, node: gast.AST, x: Operand) -> Operand:
    """An iterable whose items have positions: what is no array or list becomes a list."""
    if isinstance(x, Iterable | Generator):
        return collecting.listed(cx, node, x)
    return x


def _repeat(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    x, times = bound(cx, node, "repeat", ("object", "times"), args, kwargs)
    assert x is not None
    if times is None:
        return made(cx, "repeat", x)
    count = cx.known(times)
    if isinstance(count, int) and count <= counting.MOST_ITEMS:
        return _listed(cx, [x] * max(count, 0))
    return generators.mapped(
        cx, node, Known(x), Iterable("range", (Known(0), times, Known(1))), spread=False
    )


def _count(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    start, step = bound(cx, node, "count", ("start", "step"), args, kwargs, 0)
    return made(cx, "count", start or Known(0), step or Known(1))


def _of_known_items(fn: Any) -> Handler:
    """`combinations` and its kin: over a known number of items, made at compile time."""

    def handler(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
        name = fn.__name__
        x, r = bound(cx, node, name, ("iterable", "r"), args, kwargs)
        assert x is not None
        items = counting.items_of(cx, x, node)
        if items is None:
            cx.unsupported(
                f"`{name}` of things whose number is known at run time only is not supported",
                node,
                "write one loop inside another: `for i in range(n): for j in range(i + 1, n):`",
            )
        more = [] if r is None else [cx.static(r, node)]
        return _listed(cx, [counting.sequence(list(row)) for row in fn(items, *more)])

    return handler


def _zip_longest(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    fill = kwargs.get("fillvalue", Known(None))
    columns = [counting.items_of(cx, x, node) for x in args]
    if any(c is None for c in columns) or set(kwargs) - {"fillvalue"}:
        cx.unsupported(
            "`zip_longest` of things whose number is known at run time only is not supported",
            node,
            "bring them to one length (`np.pad`), or loop over the common part and the rest",
        )
    rows = itertools.zip_longest(*[c or [] for c in columns], fillvalue=fill)
    return _listed(cx, [counting.sequence(list(row)) for row in rows])


def _accumulate(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    x, fn, initial = bound(cx, node, "accumulate", ("iterable", "func", "initial"), args, kwargs)
    assert x is not None
    if fn is None or (isinstance(fn, Known) and fn.value is None):
        fn = Known(operator.add)
    if initial is not None and isinstance(initial, Known) and initial.value is None:
        initial = None
    steps = None if isinstance(x, Generator) else counting.items_of(cx, x, node)
    if steps is not None:
        totals = [initial] if initial is not None else steps[:1]
        for item in steps if initial is not None else steps[1:]:
            totals.append(calls.call(cx, node, fn, [totals[-1], item], {}))
        return _listed(cx, totals)
    if initial is None:
        initial, x = consumers.first_and_rest(cx, node, x)
    totals = expressions.new_list(cx, [initial])
    listed = generators.consume(
        cx, node, templates.accumulate_, x, function=fn, total=initial, totals=totals
    )
    return made(cx, "iter", listed)


def _listed(cx: Context, items: list[Operand]) -> Iterable:
    """An iterator over these."""
    return made(cx, "chain", counting.sequence(items))


# --- positions of arrays, progress bars ---------------------------------------------------------


def _ndindex(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    if kwargs:
        cx.mismatch("np.ndindex takes sizes", node)
    if len(args) == 1 and not (isinstance(args[0], Value) and isinstance(args[0].type, Scalar)):
        args = counting.items_of(cx, args[0], node) or args
    ranges: list[Operand] = [Iterable("range", (Known(0), n, Known(1))) for n in args]
    return made(cx, "product", *ranges)


def _ndenumerate(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    arity(cx, node, "np.ndenumerate", args, kwargs, 1, 1)
    x = args[0]
    if not (isinstance(x, Value) and isinstance(x.type, Array)):
        cx.unsupported("np.ndenumerate of what is no array", node, "use `enumerate`")
    shape = [
        subscripts.subscript(cx, cx.emit(node, np.shape, [x], member="shape"), Known(k), node)
        for k in range(x.type.rank)
    ]
    return made(cx, "positions", _ndindex(cx, node, shape, {}), x)


def progress_handler(fn: Any) -> Handler | None:
    """`tqdm(xs)` and `trange(n)`, whose library is not imported here."""
    if (getattr(fn, "__module__", None) or "").partition(".")[0] != "tqdm":
        return None
    if getattr(fn, "__name__", "") == "trange" or "trange" in getattr(fn, "__qualname__", ""):
        return _progress_range
    return _progress if isinstance(fn, type) and hasattr(fn, "__iter__") else None


def _progress(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    """`tqdm(xs)` is `xs`: a bar that is not the header of a loop is left out."""
    x = args[0] if args else kwargs.get("iterable")
    if x is None:
        cx.unsupported(
            "a progress bar without something to run over",
            node,
            "write `tqdm(xs)`, or leave it out",
        )
    return x


def _progress_range(cx: Context, node: gast.AST, args: Args, kwargs: Kwargs) -> Operand:
    return _range(cx, node, args, {})


_NEXT = "iterators that are advanced by hand are not supported"

HANDLERS: dict[Any, Handler] = {
    range: _range,
    enumerate: _enumerate,
    zip: _zip,
    reversed: _reversed,
    map: _map,
    filter: _filter(False),
    iter: _iter,
    next: refused(_NEXT, "write a `for` loop, or take an item by its index: `xs[0]`"),
    itertools.starmap: _starmap,
    itertools.filterfalse: _filter(True),
    itertools.product: _product,
    itertools.chain: _chain,
    itertools.chain.from_iterable: _chain_from,
    itertools.pairwise: _pairwise,
    itertools.islice: _islice,
    itertools.repeat: _repeat,
    itertools.count: _count,
    itertools.combinations: _of_known_items(itertools.combinations),
    itertools.combinations_with_replacement: _of_known_items(
        itertools.combinations_with_replacement
    ),
    itertools.permutations: _of_known_items(itertools.permutations),
    itertools.zip_longest: _zip_longest,
    itertools.accumulate: _accumulate,
    itertools.cycle: refused("`cycle` never ends", "index with a remainder: `xs[i % len(xs)]`"),
    itertools.groupby: refused("`groupby` is not supported", "write the loop out"),
    itertools.takewhile: refused("`takewhile` is not supported", "write a loop with `break`"),
    itertools.dropwhile: refused("`dropwhile` is not supported", "write a loop with `continue`"),
    itertools.tee: refused("`tee` is not supported", "make a list: `list(…)`"),
    itertools.compress: refused("`compress` is not supported", "write a loop with an `if`"),
    np.ndindex: _ndindex,
    np.ndenumerate: _ndenumerate,
    np.nditer: refused(
        "`np.nditer` is not supported", "loop over indices: `for i in np.ndindex(x.shape)`"
    ),
}
