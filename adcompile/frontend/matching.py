"""Patterns of `match`: whether an operand matches one, and what it captures (PEP 634).

What is known at compile time folds: the class and the length of a container, the keys of a dict.
What remains are comparisons of numbers, and the lengths of lists that are known at run time only.
`expand` has made `if`s of the statement, whose tests are evaluated here.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gast
import numpy as np

from adcompile.frontend import (
    attributes,
    branches,
    builtin_calls,
    counting,
    expressions,
    naming,
    subscripts,
)
from adcompile.frontend.context import Context
from adcompile.frontend.expand import Captures, Matches, has_captures
from adcompile.frontend.operands import Known, Operand, Tup, is_bottom, is_seq
from adcompile.ir.core import Value
from adcompile.ir.types import Array

Captured = dict[str, Operand]
Test = Callable[[], Operand]

# Classes whose one positional pattern is for the object itself.
_THEMSELVES = (bool, bytearray, bytes, dict, float, frozenset, int, list, set, str, tuple)


def matches(cx: Context, node: Matches) -> Operand:
    """Evaluate the test that a `case` makes."""
    return _matches(cx, node.pattern, expressions.evaluate(cx, node.subject))


def captures(cx: Context, node: Captures) -> Operand:
    """Bind the names of a pattern that matches, and evaluate the guard behind it."""
    mark = len(cx.builder.block.ops)
    found = _captured(cx, node.pattern, expressions.evaluate(cx, node.subject))
    for name, x in found.items():
        naming.bind(cx, name, x, mark)
    return Known(None) if node.value is None else expressions.evaluate(cx, node.value)


# --- tests --------------------------------------------------------------------------------------


def _matches(cx: Context, pattern: Any, x: Operand) -> Operand:
    """Whether `x` matches: known, or a value."""
    if is_bottom(x):
        return cx.bottom(pattern)
    match pattern:
        case gast.MatchValue():
            value = expressions.evaluate(cx, pattern.value)
            return expressions.compare(cx, gast.Eq, x, value, pattern)
        case gast.MatchSingleton():
            return expressions.compare(cx, gast.Is, x, Known(pattern.value), pattern)
        case gast.MatchAs():
            return Known(True) if pattern.pattern is None else _matches(cx, pattern.pattern, x)
        case gast.MatchOr():
            tests: list[Test] = [lambda p=p: _matches(cx, p, x) for p in pattern.patterns]
            return _any(cx, pattern, tests)
        case gast.MatchSequence():
            return _is_sequence(cx, pattern, x)
        case gast.MatchMapping():
            return _is_mapping(cx, pattern, x)
    return _is_object(cx, pattern, x)


def _all(cx: Context, node: Any, tests: list[Test]) -> Operand:
    """`a and b and …`, each evaluated where those before it hold."""
    return _chained(cx, node, tests, is_and=True)


def _any(cx: Context, node: Any, tests: list[Test]) -> Operand:
    return _chained(cx, node, tests, is_and=False)


def _chained(cx: Context, node: Any, tests: list[Test], *, is_and: bool) -> Operand:
    x: Operand = Known(is_and)
    for test in tests:
        known = expressions.truth(cx, x)
        if known is not None:
            if known is not is_and:
                return x
            x = test()
            continue
        outer = cx.enter()
        y = test()
        arm = cx.leave(outer)
        known = expressions.truth(cx, y)  # tests have no effect: what folds needs no branch
        if known is not None:
            x = x if known is is_and else Known(known)
            continue
        outer = cx.enter()
        arms = [(arm, y), (cx.leave(outer), x)]
        (then, a), (orelse, b) = arms if is_and else arms[::-1]
        form = "and" if is_and else "or"
        x = branches.merge(cx, cx.value(x, node), then, orelse, node, form, (a, b))
    return x


def _is_a(cx: Context, node: Any, x: Operand, cls: type) -> bool:
    """Whether `x` is of an abstract class, which must be known at compile time."""
    found = builtin_calls.class_of(cx, x)
    if found is None:
        cx.unsupported("what this object is, is known at run time only", node, "test it with `if`")
    return issubclass(found, cls)


def _arrays_are_sequences() -> bool:
    """Whether `case [...]` takes arrays: from NumPy 2.5 on."""
    match np.empty(0):
        case [*_]:
            return True
    return False


ARRAYS_ARE_SEQUENCES = _arrays_are_sequences()


def _is_array(x: Operand) -> bool:
    return isinstance(x, Value) and isinstance(x.type, Array) and x.type.rank > 0


def _is_sequence(cx: Context, node: Any, x: Operand) -> Operand:
    array = ARRAYS_ARE_SEQUENCES and _is_array(x)
    if not (array or _is_a(cx, node, x, Sequence)) or _is_a(cx, node, x, str | bytes | bytearray):  # type: ignore[arg-type]
        return Known(False)
    star = _star(node)
    if array and star is not None and node.patterns[star].name is not None:
        cx.unsupported("`*rest` of an array", node, "write `rest = x[1:]`")
    least = len(node.patterns) - (star is not None)
    items = _items(cx, node, x)
    if items is not None:
        if len(items) != least and (star is None or len(items) < least):
            return Known(False)
        pairs = _aligned(node, star, items)
        return _all(cx, node, [lambda p=p, i=i: _matches(cx, p, i) for p, i in pairs])
    length = builtin_calls.length(cx, x, node)
    fits = cx.emit(node, operator.eq if star is None else operator.ge, [length, Known(least)])
    tests: list[Test] = [lambda: fits]
    for p, item in _read(cx, node, star, x):
        if not isinstance(p, gast.MatchAs) or p.pattern is not None:
            tests.append(lambda p=p, item=item: _matches(cx, p, item()))
    return _all(cx, node, tests)


def _is_mapping(cx: Context, node: Any, x: Operand) -> Operand:
    if not _is_a(cx, node, x, Mapping):
        return Known(False)
    held = _layout(cx, node, x)
    keys = [_key(cx, k) for k in node.keys]
    if any(k not in held.keys for k in keys):
        return Known(False)
    pairs = zip(node.patterns, keys, strict=True)
    return _all(cx, node, [lambda p=p, k=k: _matches(cx, p, held.child(k)) for p, k in pairs])


def _is_object(cx: Context, node: Any, x: Operand) -> Operand:
    cls = cx.known(expressions.evaluate(cx, node.cls))
    if not isinstance(cls, type):
        cx.mismatch("a class pattern needs a class", node.cls)
    is_one = builtin_calls.handlers()[isinstance](cx, node, [x, Known(cls)], {})
    if expressions.truth(cx, is_one) is False:
        return is_one
    tests: list[Test] = [lambda: is_one]
    for p, name in _parts(cx, node, cls):
        if name is not None and not attributes.has(cx, x, name, node):
            return Known(False)
        tests.append(lambda p=p, name=name: _matches(cx, p, _part(cx, node, x, name)))
    return _all(cx, node, tests)


# --- what is captured ---------------------------------------------------------------------------


def _captured(cx: Context, pattern: Any, x: Operand) -> Captured:
    """The names that a pattern binds, with what they are bound to where `x` matches."""
    found: Captured = {}
    if not has_captures(pattern):
        return found
    match pattern:
        case gast.MatchAs():
            if pattern.pattern is not None:
                found |= _captured(cx, pattern.pattern, x)
            found[pattern.name] = x
        case gast.MatchOr():
            found |= _of_alternatives(cx, pattern.patterns, x)
        case gast.MatchSequence():
            star = _star(pattern)
            items = _items(cx, pattern, x)
            if items is not None:
                for p, item in _aligned(pattern, star, items):
                    found |= _captured(cx, p, item)
                if star is not None and pattern.patterns[star].name is not None:
                    rest = items[star : len(items) - (len(pattern.patterns) - star - 1)]
                    found[pattern.patterns[star].name] = expressions.new_list(cx, rest)
            else:
                found |= _of_list(cx, pattern, star, x)
        case gast.MatchMapping():
            held = _layout(cx, pattern, x)
            keys = [_key(cx, k) for k in pattern.keys]
            for p, k in zip(pattern.patterns, keys, strict=True):
                found |= _captured(cx, p, held.child(k))
            if pattern.rest is not None:
                others = tuple(k for k in held.keys if k not in keys)
                rest = Tup(dict, others, tuple([held.child(k) for k in others]))
                found[pattern.rest] = expressions.new_object(cx, rest)
        case gast.MatchClass():
            cls = cx.known(expressions.evaluate(cx, pattern.cls))
            for p, name in _parts(cx, pattern, cls):
                if has_captures(p):
                    found |= _captured(cx, p, _part(cx, pattern, x, name))
    return found


def _of_alternatives(cx: Context, patterns: list[Any], x: Operand) -> Captured:
    """What `a | b` captures: the same names on either side, of the first that matches."""
    first, *others = patterns
    held = _matches(cx, first, x) if others else Known(True)
    known = expressions.truth(cx, held)
    if known is not None:
        return _captured(cx, first, x) if known else _of_alternatives(cx, others, x)

    def side(found: Captured) -> Operand:
        names = sorted(found)
        return Tup(tuple, tuple(names), tuple([found[n] for n in names]))

    joined = branches.choose(
        cx,
        cx.value(held, first),
        lambda: side(_captured(cx, first, x)),
        lambda: side(_of_alternatives(cx, others, x)),
        first,
        "if",
    )
    assert isinstance(joined, Tup)
    return dict(zip(joined.keys, joined.items, strict=True))  # type: ignore[arg-type]


def _of_list(cx: Context, node: Any, star: int | None, x: Operand) -> Captured:
    """What is captured of a list whose length is known at run time only."""
    found: Captured = {}
    for p, item in _read(cx, node, star, x):
        if has_captures(p):
            found |= _captured(cx, p, item())
    if star is not None and node.patterns[star].name is not None:
        after = len(node.patterns) - star - 1
        bounds = slice(star or None, -after if after else None)
        found[node.patterns[star].name] = subscripts.subscript(cx, x, Known(bounds), node)
    return found


# --- parts of a subject -------------------------------------------------------------------------


def _star(node: Any) -> int | None:
    """Where the starred pattern of a sequence stands."""
    return next((i for i, p in enumerate(node.patterns) if isinstance(p, gast.MatchStar)), None)


def _aligned(node: Any, star: int | None, items: list[Operand]) -> list[tuple[Any, Operand]]:
    """The patterns of a sequence, but for the starred one, with the items that they are for."""
    if star is None:
        return list(zip(node.patterns, items, strict=True))
    after = len(node.patterns) - star - 1
    before = list(zip(node.patterns[:star], items[:star], strict=True))
    last = items[len(items) - after :]
    return before + list(zip(node.patterns[star + 1 :], last, strict=True))


def _read(cx: Context, node: Any, star: int | None, x: Operand) -> list[tuple[Any, Test]]:
    """Like `_aligned`, for a list of unknown length: how to read each item."""
    count = len(node.patterns)
    return [
        (p, lambda k=(k if star is None or k < star else k - count): subscripts.subscript(
            cx, x, Known(k), node
        ))
        for k, p in enumerate(node.patterns)
        if k != star
    ]  # fmt: skip


def _items(cx: Context, node: Any, x: Operand) -> list[Operand] | None:
    """The items of a sequence; None for a list of unknown length."""
    if is_seq(cx.held(x)) or _is_array(x):
        return None
    items = counting.items_of(cx, x, node)
    if items is None:
        cx.unsupported("this sequence cannot be taken apart", node, "test it with `if`")
    return items


def _layout(cx: Context, node: Any, x: Operand) -> Tup:
    """A dict of known keys."""
    if isinstance(x, Known):
        return Tup(dict, tuple(x.value), tuple([Known(v) for v in x.value.values()]))
    return subscripts.known_layout(cx, x, node)


def _key(cx: Context, node: Any) -> Any:
    return subscripts.static_key(cx, expressions.evaluate(cx, node), node)


def _parts(cx: Context, node: Any, cls: type) -> list[tuple[Any, str | None]]:
    """The sub-patterns of a class pattern with the attributes that they are for.

    None stands for the object itself.
    """
    names: tuple[str | None, ...] = getattr(cls, "__match_args__", ())
    if not names and issubclass(cls, _THEMSELVES):
        names = (None,)
    if len(node.patterns) > len(names):
        cx.mismatch(
            f"{cls.__name__}() accepts {len(names)} positional sub-patterns "
            f"({len(node.patterns)} given)",
            node,
        )
    named = zip(node.kwd_patterns, node.kwd_attrs, strict=True)
    return [*zip(node.patterns, names, strict=False), *named]


def _part(cx: Context, node: Any, x: Operand, name: str | None) -> Operand:
    return x if name is None else attributes.attribute(cx, x, name, node)
