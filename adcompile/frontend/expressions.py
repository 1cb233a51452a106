"""Expressions: a gast node and the state of the program in, an operand out.

`evaluate` looks the node's class up in a table. Chains of operators, which Python nests to the
left, are walked without recursion. What is known at compile time is computed here: a test on a
rank or on None costs nothing at run time, and only the branch that is taken is lowered.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import gast

from adcompile.errors import InternalError, TypeMismatch, UnsupportedSyntax
from adcompile.frontend import (
    array_likes,
    attributes,
    branches,
    calls,
    collecting,
    containers,
    fold,
    generators,
    matching,
    naming,
    objects,
    overloads,
    subscripts,
    texts,
)
from adcompile.frontend.context import Context
from adcompile.frontend.expand import Captures, Matches
from adcompile.frontend.functions import make_code
from adcompile.frontend.heap import is_reference
from adcompile.frontend.operands import (
    Bound,
    Closure,
    Generator,
    Iterable,
    Known,
    Lost,
    Obj,
    Operand,
    Poison,
    Slicer,
    Tup,
    Unbound,
    is_bottom,
    is_seq,
    is_tree,
    literal,
)
from adcompile.frontend.scopes import Frame, outside, suggest
from adcompile.frontend.source import loc_of
from adcompile.ir.core import MISSING, Value
from adcompile.ir.types import BOOL, Array, Dim, Opaque, Scalar, Size, Static, Tree, scalar_kind

BINARY: dict[type, Callable[..., Any]] = {
    gast.Add: operator.add,
    gast.Sub: operator.sub,
    gast.Mult: operator.mul,
    gast.Div: operator.truediv,
    gast.FloorDiv: operator.floordiv,
    gast.Mod: operator.mod,
    gast.Pow: operator.pow,
    gast.MatMult: operator.matmul,
    gast.BitAnd: operator.and_,
    gast.BitOr: operator.or_,
    gast.BitXor: operator.xor,
    gast.LShift: operator.lshift,
    gast.RShift: operator.rshift,
}
UNARY: dict[type, Callable[..., Any]] = {
    gast.USub: operator.neg,
    gast.UAdd: operator.pos,
    gast.Invert: operator.invert,
    gast.Not: operator.not_,
}
COMPARE: dict[type, Callable[..., Any]] = {
    gast.Lt: operator.lt,
    gast.LtE: operator.le,
    gast.Eq: operator.eq,
    gast.NotEq: operator.ne,
    gast.Gt: operator.gt,
    gast.GtE: operator.ge,
}


def evaluate(cx: Context, node: gast.AST) -> Operand:
    """What `node` evaluates to; its ops are appended to the current block."""
    handler = EXPRESSIONS.get(type(node))
    if handler is None:
        raise InternalError(f"no lowering for {type(node).__name__}", loc_of(node))
    return handler(cx, node)


def test(cx: Context, node: gast.AST) -> bool | Value:
    """A condition: a bool where it is known, else a value whose truth is meant."""
    x = overloads.truth(cx, evaluate(cx, node), node)
    found = truth(cx, x)
    return cx.value(x, node) if found is None else found


def truth(cx: Context, x: Operand) -> bool | None:
    """The truth of `x`, or None where it is known at run time only."""
    found = cx.known(x)
    if found is not MISSING:
        try:
            return bool(found)
        except (ValueError, TypeError):  # an array
            return None
    cls = objects.class_of(cx, x)
    if cls is not None:
        if hasattr(cls, "__bool__") or hasattr(cls, "__len__"):
            raise UnsupportedSyntax(
                f"`and` and `or` of a {cls.__name__}, which says itself whether it is true",
                cx.builder.loc,
                "write `bool(x)`, or `x if bool(x) else y`",
            )
        return True
    match x:
        case Obj():
            held = cx.contents(x)
            return bool(held.items) if isinstance(held, Tup) else None
        case Tup(node, _, items):
            return bool(items) if issubclass(node, tuple) else True
        case Value(type=Tree(node, keys)):
            return bool(keys) if issubclass(node, tuple | list | dict) else True
        case Value(type=Static(value)):
            return bool(value)
        case Closure() | Bound():
            return True
    return None


# --- leaves -------------------------------------------------------------------------------------


def _constant(cx: Context, node: gast.Constant) -> Operand:
    if scalar_kind(node.value) is not None and not isinstance(node.value, bool):
        return cx.here(node).const(node.value)
    return Known(node.value)


def _name(cx: Context, node: gast.Name) -> Operand:
    cell = cx.frame.find(node.id)
    if cell is not None:
        x = cx.store.get(cell)
        if "$" in node.id and isinstance(x, Unbound):
            return x  # of a `return` that is never reached
        if isinstance(x, Poison):
            lines = sorted({loc.line for loc in x.locs})
            where = (
                f" (see line{'s' * (len(lines) > 1)} {' and '.join(map(str, lines))})"
                if lines
                else ""
            )
            if isinstance(x, Lost):
                cx.refuse(x, f"`{node.id}` {x.reason}{where}", loc_of(node), x.hint)
            what, hint = f"`{node.id}` has no single type here", "use another name for one of them"
            if "$" in node.id:
                what = f"{cx.frame.code.name} returns different kinds of values"
                hint = "return the same kind of value on each path"
            cx.refuse(x, f"{what}: {x.reason}{where}", loc_of(node), hint)
        if isinstance(x, Unbound):
            cx.mismatch(f"`{node.id}` is read before it is assigned", node)
        if isinstance(x, Value) and is_bottom(x):
            cx.bottoms.append((x, node.id, node))
        return x
    found = outside(cx.frame.root, node.id, cx.frame.is_global(node.id))
    if found is None:
        raise TypeMismatch(
            f"the name `{node.id}` is not defined", loc_of(node), suggest(node.id, cx.frame)
        )
    return attributes.from_outside(cx, found, node)


def _tuple(cx: Context, node: gast.Tuple) -> Operand:
    items = elements(cx, node.elts)
    return Tup(tuple, tuple(range(len(items))), tuple(items))


def _list(cx: Context, node: gast.List) -> Operand:
    if not any(isinstance(e, gast.Starred) for e in node.elts):
        return new_list(cx, elements(cx, node.elts))
    made = new_list(cx, [])
    for e in node.elts:
        if isinstance(e, gast.Starred):
            containers.extend_in_place(cx, made, evaluate(cx, e.value), e)
        else:
            containers.append(cx, e, made, [evaluate(cx, e)], {})
    return made


def _dict(cx: Context, node: gast.Dict) -> Operand:
    made = Tup(dict, (), ())
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:  # **other
            other = subscripts.known_layout(cx, evaluate(cx, value), value)
            for k, item in zip(other.keys, other.items, strict=True):
                made = made.replaced(k, item)
        else:
            k = subscripts.static_key(cx, evaluate(cx, key), key)
            made = made.replaced(k, evaluate(cx, value))
    return new_object(cx, made)


def elements(cx: Context, nodes: list[Any]) -> list[Operand]:
    """The operands of a display or a call, starred ones spread out."""
    items: list[Operand] = []
    for node in nodes:
        if isinstance(node, gast.Starred):
            x = evaluate(cx, node.value)
            items += collecting.all_items(cx, x, node.value, "`*` spreads here")
        else:
            items.append(evaluate(cx, node))
    return items


def new_list(cx: Context, items: list[Operand]) -> Obj:
    return new_object(cx, Tup(list, tuple(range(len(items))), tuple(items)))


def new_object(cx: Context, held: Tup) -> Obj:
    made = Obj(held.node)
    cx.store.set(made, held)
    return made


def _lambda(cx: Context, node: gast.Lambda) -> Operand:
    return closure(cx, node)


def closure(cx: Context, node: Any) -> Closure:
    """A nested function: its defaults are evaluated now, its variables when it is called."""
    code = make_code(node)
    a = node.args
    positional = [*a.posonlyargs, *a.args]
    defaults: dict[str, Operand] = {}
    for p, d in zip(positional[len(positional) - len(a.defaults) :], a.defaults, strict=True):
        defaults[p.id] = evaluate(cx, d)
    for p, d in zip(a.kwonlyargs, a.kw_defaults, strict=True):
        if d is not None:
            defaults[p.id] = evaluate(cx, d)
    frame: Frame | None = cx.frame
    while frame is not None and not frame.captured:
        frame.captured = True
        frame = frame.parent
    return Closure(code, defaults, cx.frame)


# --- operators ----------------------------------------------------------------------------------


def _binop(cx: Context, node: gast.BinOp) -> Operand:
    spine = [node]
    while isinstance(spine[-1].left, gast.BinOp):
        spine.append(spine[-1].left)
    x = evaluate(cx, spine[-1].left)
    for one in reversed(spine):
        x = binary(cx, BINARY[type(one.op)], x, evaluate(cx, one.right), one)
    return x


def binary(cx: Context, fn: Callable[..., Any], a: Operand, b: Operand, node: gast.AST) -> Operand:
    """`a fn b`."""
    if is_bottom(a) or is_bottom(b):
        return cx.bottom(node)
    known = fold.numbers(cx, fn, a, b)
    if isinstance(known, Known):
        return known
    if isinstance(a, Obj | Tup) or isinstance(b, Obj | Tup) or is_tree(a) or is_tree(b):
        a, b = array_likes.operands(cx, node, fn, a, b)
        found = _on_containers(cx, fn, a, b, node)
        if found is None:
            found = overloads.binary(cx, fn, a, b, node)
        if found is not None:
            return found
    if texts.is_text(a) or texts.is_text(b):
        return texts.operator_on(cx, node, fn, a, b)
    made = cx.emit(node, fn, [a, b])
    if known is not MISSING and isinstance(made, Value):
        cx.folded[made] = known
    return made


def _on_containers(
    cx: Context, fn: Callable[..., Any], a: Operand, b: Operand, node: gast.AST
) -> Operand | None:
    """Concatenation and repetition of tuples and lists of known length."""
    if is_seq(cx.held(a)) or is_seq(cx.held(b)):
        if fn is operator.add and collecting.is_list(cx, a) and collecting.is_list(cx, b):
            made = collecting.listed(cx, node, a)
            containers.extend_in_place(cx, made, b, node)
            return made
        return cx.emit(node, fn, [array_likes.as_array(cx, node, x) for x in (a, b)])
    if fn is operator.add:
        x, y = subscripts.layout(cx, a, node), subscripts.layout(cx, b, node)
        if x is None or y is None or x.node is not y.node or x.node not in (tuple, list):
            return None
        return _sequence(cx, x.node, (*x.items, *y.items))
    if fn is operator.mul:
        times, many = (a, b) if subscripts.layout(cx, b, node) is not None else (b, a)
        x = subscripts.layout(cx, many, node)
        if x is None or x.node not in (tuple, list):
            return None
        count = cx.static(times, node)
        if isinstance(count, int):
            return _sequence(cx, x.node, x.items * count)
    if fn is operator.mod and texts.is_text(a):
        return None
    if fn is operator.or_:
        x, y = subscripts.layout(cx, a, node), subscripts.layout(cx, b, node)
        if x is not None and y is not None and x.node is y.node is dict:
            for k, item in zip(y.keys, y.items, strict=True):
                x = x.replaced(k, item)
            return new_object(cx, x)
    return None


def _sequence(cx: Context, node: type, items: tuple[Operand, ...]) -> Operand:
    made = Tup(node, tuple(range(len(items))), items)
    return new_object(cx, made) if node is list else made


def _unaryop(cx: Context, node: gast.UnaryOp) -> Operand:
    if isinstance(node.op, gast.USub) and isinstance(node.operand, gast.Constant):
        value = node.operand.value
        if scalar_kind(value) is not None:
            return cx.here(node).const(-value)
    x = evaluate(cx, node.operand)
    if is_bottom(x):
        return cx.bottom(node)
    fn = UNARY[type(node.op)]
    if fn is operator.not_:
        return negated(cx, x, node)
    overloaded = overloads.unary(cx, fn, x, node)
    if overloaded is not None:
        return overloaded
    known = fold.numbers(cx, fn, x)
    if isinstance(known, Known):
        return known
    made = cx.emit(node, fn, [x])
    if known is not MISSING and isinstance(made, Value):
        cx.folded[made] = known
    return made


def negated(cx: Context, x: Operand, node: gast.AST) -> Operand:
    """`not x`."""
    x = overloads.truth(cx, x, node)
    found = truth(cx, x)
    return Known(not found) if found is not None else cx.emit(node, operator.not_, [x])


def _boolop(cx: Context, node: gast.BoolOp) -> Operand:
    """`a and b and c` is `(a and b) and c`: the same result, and no nesting."""
    is_and = isinstance(node.op, gast.And)
    x = evaluate(cx, node.values[0])
    for following in node.values[1:]:
        known = truth(cx, x)
        if known is not None:
            if known is not is_and:
                return x
            x = evaluate(cx, following)
            continue
        cond, left = cx.value(x, node), x
        right: Callable[[], Operand] = lambda n=following: evaluate(cx, n)  # noqa: E731
        keep: Callable[[], Operand] = lambda v=left: v  # noqa: E731
        then, orelse = (right, keep) if is_and else (keep, right)
        x = branches.choose(cx, cond, then, orelse, node, "and" if is_and else "or")
        if isinstance(x, Poison):
            cx.refuse(x, x.reason, loc_of(node))
    return x


def _ifexp(cx: Context, node: gast.IfExp) -> Operand:
    cond = test(cx, node.test)
    if isinstance(cond, bool):
        return evaluate(cx, node.body if cond else node.orelse)
    x = branches.choose(
        cx, cond, lambda: evaluate(cx, node.body), lambda: evaluate(cx, node.orelse), node, "ifexp"
    )
    if isinstance(x, Poison):
        cx.refuse(x, x.reason, loc_of(node))
    return x


def _compare(cx: Context, node: gast.Compare) -> Operand:
    return _chain(cx, node, evaluate(cx, node.left), 0)


def _chain(cx: Context, node: gast.Compare, left: Operand, at: int) -> Operand:
    right = evaluate(cx, node.comparators[at])
    x = compare(cx, type(node.ops[at]), left, right, node)
    if at + 1 == len(node.ops):
        return x
    known = truth(cx, x)
    if known is not None:
        return _chain(cx, node, right, at + 1) if known else x
    return branches.choose(
        cx, cx.value(x, node), lambda: _chain(cx, node, right, at + 1), lambda: x, node, "and"
    )


def compare(cx: Context, op: type, a: Operand, b: Operand, node: gast.AST) -> Operand:
    """One comparison; those of identities and of what is known fold."""
    if is_bottom(a) or is_bottom(b):
        return cx.bottom(node)
    if op in (gast.Is, gast.IsNot):
        if not (_is_bool(a) and _is_bool(b)):
            return Known(_identical(cx, a, b, node) is (op is gast.Is))
        op = gast.Eq if op is gast.Is else gast.NotEq  # there is one True, and one False
    if op in (gast.In, gast.NotIn):
        x = _contains(cx, b, a, node)
        return x if op is gast.In else negated(cx, x, node)
    fn = COMPARE[op]
    x, y = cx.known(a), cx.known(b)
    if x is not MISSING and y is not MISSING:
        try:
            return Known(bool(fn(x, y)))
        except (TypeError, ValueError):
            pass
    containers = isinstance(a, Obj | Tup) or is_tree(a) or is_tree(b) or isinstance(b, Obj | Tup)
    if containers or is_seq(a) or is_seq(b):
        x, y = array_likes.operands(cx, node, fn, a, b)
        if x is not a or y is not b:
            return cx.emit(node, fn, [x, y])
        overloaded = overloads.binary(cx, fn, a, b, node)
        if overloaded is not None:
            return overloaded
        return _compare_trees(cx, fn, a, b, node)
    if fn in (operator.eq, operator.ne) and (_differ(a, b) or _differ(b, a)):
        return Known(fn is operator.ne)
    if texts.is_text(a) or texts.is_text(b):
        return cx.emit(node, fn, [a, b], types=[BOOL])
    return cx.emit(node, fn, [a, b])


def _differ(a: Operand, b: Operand) -> bool:
    """Whether `a` and `b` cannot be equal: other types, or 1 and a size known to be another."""
    if isinstance(b, Value) and isinstance(b.type, Scalar) and isinstance(b.type.size, Dim):
        return b.type.size.many and literal(a) == 1
    if not (isinstance(a, Known) and (a.value is None or isinstance(a.value, str))):
        return False
    return isinstance(b, Value) and not isinstance(b.type, Opaque | Static | Array)


def _compare_trees(
    cx: Context, fn: Callable[..., Any], a: Operand, b: Operand, node: gast.AST
) -> Operand:
    left, right = subscripts.keys_of(cx, a), subscripts.keys_of(cx, b)
    if left is not None and right is not None and fn in (operator.eq, operator.ne):
        if left[0] is not right[0] or len(left[1]) != len(right[1]):
            return Known(fn is operator.ne)
        x, y = subscripts.known_items(cx, a), subscripts.known_items(cx, b)
        if x is not None and y is not None and left[0] is not dict:
            return Known(bool(fn(x, y)))
        if _sizes(a) is not None and _sizes(a) == _sizes(b):
            return Known(fn is operator.eq)
    return cx.emit(node, fn, [a, b], types=[BOOL])


def _sizes(x: Operand) -> list[Size] | None:
    """The sizes that `x`, a shape, is made of."""
    items = x.type.items if isinstance(x, Value) and isinstance(x.type, Tree) else ()
    sizes = [t.size for t in items if isinstance(t, Scalar) and t.size is not None]
    return sizes if len(sizes) == len(items) else None


def _identical(cx: Context, a: Operand, b: Operand, node: gast.AST) -> bool:
    if a is b:
        return True
    x, y = cx.known(a), cx.known(b)
    if isinstance(a, Value) and isinstance(a.type, Static):
        x = a.type.value
    if isinstance(b, Value) and isinstance(b.type, Static):
        y = b.type.value
    if x is not MISSING and y is not MISSING:
        return x is y
    singletons = (None, True, False, Ellipsis)
    if any(x is s or y is s for s in singletons):
        other = b if x is not MISSING else a
        if not (isinstance(other, Value) and isinstance(other.type, Opaque)):
            return False
    if isinstance(a, Obj) and isinstance(b, Obj) and not (a.frozen or b.frozen):
        return False
    arrays = [v for v in (a, b) if isinstance(v, Value) and isinstance(v.type, Array)]
    if len(arrays) == 2 and any(is_reference(v, cx.boxed) for v in arrays):
        found = cx.heap.identical(*arrays)
        if found is not None:
            return found
    cx.mismatch("whether these are the same object is not known at compile time", node, "use `==`")


def _is_bool(x: Operand) -> bool:
    return isinstance(literal(x), bool) or (isinstance(x, Value) and x.type == BOOL)


def _contains(cx: Context, container: Operand, x: Operand, node: gast.AST) -> Operand:
    found, key = cx.known(cx.held(container)), cx.known(x)
    if isinstance(x, Tup) and isinstance(container, Obj | Iterable | Known):
        key = subscripts.static_key(cx, x, node)
    if isinstance(container, Iterable | Generator):
        found = [cx.known(i) for i in collecting.all_items(cx, container, node, "there are")]
        found = MISSING if MISSING in found else found
    if found is not MISSING and key is not MISSING:
        return Known(key in found)
    overloaded = overloads.call(cx, container, "__contains__", node, x)
    if overloaded is not None:
        return overloaded
    held = subscripts.keys_of(cx, container)
    if held is not None and key is not MISSING:
        among = list(held[1]) if held[0] is dict else subscripts.known_items(cx, container)
        if among is not None:
            return Known(key in among)
    return cx.emit(node, operator.contains, [container, x], types=[BOOL])


# --- the table ----------------------------------------------------------------------------------


def _attribute(cx: Context, node: gast.Attribute) -> Operand:
    return attributes.attribute(cx, evaluate(cx, node.value), node.attr, node)


def _subscript(cx: Context, node: gast.Subscript) -> Operand:
    base = evaluate(cx, node.value)
    return subscripts.subscript(cx, base, evaluate(cx, node.slice), node)


def _slice(cx: Context, node: gast.Slice) -> Operand:
    parts = [None if p is None else evaluate(cx, p) for p in (node.lower, node.upper, node.step)]
    parts = [None if isinstance(p, Known) and p.value is None else p for p in parts]
    return Slicer(*parts)


def _call(cx: Context, node: gast.Call) -> Operand:
    return calls.call_node(cx, node)


def _namedexpr(cx: Context, node: gast.NamedExpr) -> Operand:
    mark = len(cx.builder.block.ops)
    x = evaluate(cx, node.value)
    naming.bind(cx, node.target.id, x, mark)
    return x


def _matches(cx: Context, node: Matches) -> Operand:
    return matching.matches(cx, node)


def _captures(cx: Context, node: Captures) -> Operand:
    return matching.captures(cx, node)


def _joined(cx: Context, node: gast.JoinedStr) -> Operand:
    return texts.joined(cx, node)


def _set(cx: Context, node: gast.Set) -> Operand:
    return collecting.set_of(cx, elements(cx, node.elts), node)


def _comprehension(cx: Context, node: Any) -> Operand:
    return collecting.comprehension(cx, node)


def _generator(cx: Context, node: gast.GeneratorExp) -> Operand:
    return generators.expression(cx, node)


EXPRESSIONS: dict[type, Callable[[Context, Any], Operand]] = {
    gast.Constant: _constant,
    gast.JoinedStr: _joined,
    gast.Name: _name,
    gast.Tuple: _tuple,
    gast.List: _list,
    gast.Dict: _dict,
    gast.Lambda: _lambda,
    gast.BinOp: _binop,
    gast.UnaryOp: _unaryop,
    gast.BoolOp: _boolop,
    gast.IfExp: _ifexp,
    gast.Compare: _compare,
    gast.Attribute: _attribute,
    gast.Subscript: _subscript,
    gast.Slice: _slice,
    gast.Call: _call,
    gast.Set: _set,
    gast.ListComp: _comprehension,
    gast.SetComp: _comprehension,
    gast.DictComp: _comprehension,
    gast.GeneratorExp: _generator,
    gast.NamedExpr: _namedexpr,
    Matches: _matches,
    Captures: _captures,
}
