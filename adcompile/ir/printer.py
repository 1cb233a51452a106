"""The IR as text, after the manner of MLIR: what `.ssa` shows and golden tests compare.

    func @out(%a: float64[n0]) {
      %b = %a + 3 : float64[n0]  // line 2
      …

Values are named by their hints, numbered where two share one (`%h`, `%h_1`) or have none (`%3`);
unnamed constants stand where they are used. Sizes are `n0`, `n1`, …; `n0?` may be 1. The line is
given where it changes, and the order of what differentiation made: `// line 3, order 1`. The text
is the same in every process.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from adcompile.ir import core
from adcompile.ir.core import NOWHERE, Block, Function, Op, Slice, Value
from adcompile.ir.identities import Hook
from adcompile.ir.types import Array, Dim, Seq, Static, Tree, Type


def to_text(fn: Function) -> str:
    """The text of `fn`, ending in a newline; functions that it invokes are not shown."""
    return "\n".join(_Printer(fn).lines()) + "\n"


class _Printer:
    def __init__(self, fn: Function):
        self.fn = fn
        self.names: dict[Value, str] = {}
        self.taken: dict[str, int] = {}  # how often a name was asked for
        self.unnamed = 0
        self.sizes: dict[Dim, int] = {}
        self.place: tuple[object, int, int] | None = None  # of the last line: function, line, order

    def lines(self) -> Iterator[str]:
        """All lines. `work` holds what is still to come, last entry first."""
        params = ", ".join(f"{self.new(p)}: {self.type(p.type)}" for p in self.fn.block.params)
        yield f"func @{self.fn.name}({params}) {{"
        work: list[str | tuple[Op | Block, int]] = ["}", (self.fn.block, 1)]
        while work:
            entry = work.pop()
            if isinstance(entry, str):
                yield entry
                continue
            thing, depth = entry
            if isinstance(thing, Block):
                work.extend((op, depth) for op in reversed(thing.ops) if not _inline(op))
                continue
            head, *rest = self.op(thing, depth)
            yield "  " * depth + head + self.where(thing)
            work.extend(reversed(rest))

    def op(self, op: Op, depth: int) -> list[Any]:
        """The header line, then the entries of nested blocks."""
        for r in op.results:  # named before what the header goes on to name
            self.new(r)
        close, inner = "  " * depth + "}", depth + 1
        match op:
            case core.If():
                form = "if" if op.form == "if" else f"if<{op.form}>"
                head = self.head(op, f"{form} {self.use(op.operands[0])}", " {")
                orelse = "  " * depth + "} else {"
                return [head, (op.then, inner), orelse, (op.orelse, inner), close]
            case core.For():
                over = ", ".join(map(self.use, op.operands[: op.heads]))
                if op.over == "range":
                    over = f"range({over})"
                if op.reverse:
                    over = f"reversed({over})"
                inits = self.uses(op.inits)
                head = f"for {self.new(op.body.params[0])} in {over}"
                head += self.carry(op.carried, inits) + (" stops" if op.stops else "")
                head += " narrowed" if op.narrowed else ""
                return [self.head(op, head, " {"), (op.body, inner), close]
            case core.While():
                head = "while" + self.carry(op.cond.params, self.uses(op.inits))
                head += " stops" if op.stops else ""
                params = ", ".join(map(self.new, op.body.params))
                do = "  " * depth + f"}} do ({params}) {{"
                return [self.head(op, head, " {"), (op.cond, inner), do, (op.body, inner), close]
            case core.Scope():
                head = "scope " + " ".join(map(self.use, op.operands))
                head += "".join(f" as {self.new(p)}" for p in op.body.params)
                head += " {effect}" if op.effect else ""
                return [self.head(op, head, " {"), (op.body, inner), close]
            case core.Try():
                (error,) = op.handler.params
                classes = ", ".join(map(self.use, op.operands))
                caught = "  " * depth + f"}} except {classes} ({self.new(error)}) {{"
                head = self.head(op, "try", " {")
                return [head, (op.body, inner), caught, (op.handler, inner), close]
            case Hook():
                given, block = self.uses(op.operands), op.body.block
                head = f"hook {', '.join(given)} as ({', '.join(map(self.new, block.params))})"
                return [self.head(op, head, " {"), (block, inner), close]
            case _:
                return [self.head(op, self.leaf(op), "")]

    def head(self, op: Op, text: str, end: str) -> str:
        if not op.results:
            return text + end
        types = ", ".join(self.type(r.type) for r in op.results)
        return f"{', '.join(self.uses(op.results))} = {text} : {types}{end}"

    def carry(self, params: Iterable[Value], inits: Iterable[str]) -> str:
        pairs = [f"{self.new(p)} = {i}" for p, i in zip(params, inits, strict=True)]
        return f" carry ({', '.join(pairs)})" if pairs else ""

    def where(self, op: Op) -> str:
        stmt, home = op.loc.stmt, self.fn.loc
        place = (stmt.function, op.loc.line, op.order)
        if place == self.place:
            return ""
        self.place = place
        parts = [] if op.loc is NOWHERE else [f"line {op.loc.line}"]
        if parts and home is not NOWHERE and stmt.function != home.stmt.function:
            parts.append(f"in {stmt.function}")
        if op.order:
            parts.append(f"order {op.order}")
        return f"  // {', '.join(parts)}" if parts else ""

    # --- one line -------------------------------------------------------------------------------

    def leaf(self, op: Op) -> str:
        ops = self.uses(op.operands)
        match op:
            case core.Const():
                return constant_text(op.value)
            case core.Global():
                return f"global {op.source.name}"
            case core.Undef():
                return "undef"
            case core.Call():
                return self.call(op, ops) + (" {effect}" if op.effect else "")
            case core.Index():
                return f"{ops[0]}{_index(op.spec, ops[1:])}" + (" {item}" if op.item else "")
            case core.Update():
                kind = "add.at" if op.mode == "add.at" else "update"
                mode = {"=": "=", "add.at": "+="}.get(op.mode, op.mode + "=")
                target, rest = ops[0], ops[2:]
                for step in op.views:
                    count = core.operand_count(step)
                    target, rest = _viewed(target, step, rest[:count]), rest[count:]
                taken = " {taken}" if op.taken else ""
                return f"{kind} {target}{_index(op.spec, rest)} {mode} {ops[1]}{taken}"
            case core.Make():
                return _container(op.result.type, ops)
            case core.Item():
                tree = op.operands[0].type
                fields = isinstance(tree, Tree) and tree.node not in (tuple, list, dict)
                return f"{ops[0]}.{op.key}" if fields else f"{ops[0]}[{op.key!r}]"
            case core.Append():
                return f"append {', '.join(ops)}" + (f" {{{op.purpose}}}" if op.purpose else "")
            case core.NewSeq():
                return f"seq({', '.join(ops)})"
            case core.Invoke():
                return f"invoke @{op.callee.name}({', '.join(ops)})"
            case core.Partial():
                return f"partial @{op.callee.name}({', '.join(ops)})"
            case core.Write():
                return f"write {ops[0]}[...] = {ops[1]}"
            case _:  # unpack, pop, assert, raise, yield, return
                return f"{type(op).__name__.lower()} {', '.join(ops)}".rstrip()

    def call(self, op: core.Call, ops: list[str]) -> str:
        if not op.keywords and op.member is None:
            if op.fn in _INFIX and len(ops) == 2:
                return f"{ops[0]} {_INFIX[op.fn]} {ops[1]}"
            if op.fn in _PREFIX and len(ops) == 1:
                return f"{_PREFIX[op.fn]}{ops[0]}"
            if op.fn is operator.contains:
                return f"{ops[1]} in {ops[0]}"
        plain = len(op.args)
        args = ops[:plain] + [f"{k}={v}" for k, v in zip(op.keywords, ops[plain:], strict=True)]
        if op.member is None:
            return f"{function_text(op.fn)}({', '.join(args)})"
        member = f"{args[0]}.{op.member.removesuffix('()')}"
        return f"{member}({', '.join(args[1:])})" if op.member.endswith("()") else member

    # --- names, types, constants ----------------------------------------------------------------

    def new(self, v: Value) -> str:
        """The name of a value that is defined here."""
        hint = v.name
        if hint is None:
            name, self.unnamed = str(self.unnamed), self.unnamed + 1
        else:
            name = hint
            while name in self.taken:
                name = f"{hint}_{self.taken[hint]}"
                self.taken[hint] += 1
            self.taken[name] = 1
        self.names[v] = "%" + name
        return self.names[v]

    def use(self, v: Value) -> str:
        if isinstance(v.owner, core.Const | core.Undef) and _inline(v.owner):
            return self.leaf(v.owner)
        return self.names.get(v) or "%?"

    def uses(self, values: Iterable[Value]) -> list[str]:
        return [self.use(v) for v in values]

    def type(self, t: Type) -> str:
        match t:
            case Array(dtype, shape):
                return f"{dtype.name}[{', '.join(map(self.size, shape))}]"
            case Tree(node, _, items):
                return f"{node.__name__}({', '.join(map(self.type, items))})"
            case Seq(item):
                return f"seq({self.type(item)})"
            case Static(value):
                return f"static({constant_text(value)})"
            case _:
                return repr(t)

    def size(self, size: int | Dim) -> str:
        if isinstance(size, int):
            return str(size)
        return f"n{self.sizes.setdefault(size, len(self.sizes))}" + ("" if size.many else "?")


_INFIX: dict[Callable[..., Any], str] = {
    operator.add: "+",
    operator.sub: "-",
    operator.mul: "*",
    operator.truediv: "/",
    operator.floordiv: "//",
    operator.mod: "%",
    operator.pow: "**",
    operator.matmul: "@",
    operator.lshift: "<<",
    operator.rshift: ">>",
    operator.and_: "&",
    operator.or_: "|",
    operator.xor: "^",
    operator.lt: "<",
    operator.le: "<=",
    operator.eq: "==",
    operator.ne: "!=",
    operator.gt: ">",
    operator.ge: ">=",
    operator.is_: "is",
    operator.is_not: "is not",
}
_PREFIX = {operator.neg: "-", operator.pos: "+", operator.invert: "~", operator.not_: "not "}


def _inline(op: Op) -> bool:
    """Whether `op` has no line of its own."""
    return isinstance(op, core.Const | core.Undef) and op.result.name is None


def _viewed(x: str, step: core.Step, operands: list[str]) -> str:
    if not isinstance(step, core.ViewCall):
        return x + _index(step, operands)
    return f"{function_text(step.fn)}({', '.join([x, *operands])})"


def _index(spec: core.Spec, operands: list[str]) -> str:
    rest = iter(operands)
    entries = []
    for entry in spec:
        if entry == "value":
            entries.append(next(rest))
        elif isinstance(entry, Slice):
            start, stop, step = (
                next(rest) if e else "" for e in (entry.start, entry.stop, entry.step)
            )
            entries.append(f"{start}:{stop}" + (f":{step}" if entry.step else ""))
        else:
            entries.append("..." if entry is Ellipsis else repr(entry))
    return f"[{', '.join(entries)}]"


def _container(t: Type, items: list[str]) -> str:
    assert isinstance(t, Tree)
    if t.node in (tuple, list):
        return f"{t.node.__name__}({', '.join(items)})"
    sep, show = (": ", repr) if t.node is dict else ("=", str)
    pairs = [f"{show(k)}{sep}{v}" for k, v in zip(t.keys, items, strict=True)]
    return f"{t.node.__name__}({', '.join(pairs)})"


def operation_text(op: core.Call) -> str:
    """What `op` does, without its operands: `+`, `np.sqrt`, `.sum()`."""
    if op.member is not None:
        return f".{op.member}"
    return (_INFIX | _PREFIX).get(op.fn, "").strip() or function_text(op.fn)


def function_text(fn: Callable[..., Any]) -> str:
    """A name for a callable that does not depend on the process."""
    name = getattr(fn, "__name__", None) or type(fn).__name__
    if getattr(np, name, None) is fn:
        return f"np.{name}"
    module = getattr(fn, "__module__", None) or ""
    short = module.replace("numpy", "np", 1) if module.split(".")[0] == "numpy" else module
    if short in ("", "builtins", "_operator", "operator", "__main__"):
        return getattr(fn, "__qualname__", name)
    return f"{short.removeprefix('adcompile.')}.{getattr(fn, '__qualname__', name)}"


def constant_text(value: Any) -> str:
    """A compile-time object, without addresses."""
    if value is None or value is Ellipsis or isinstance(value, _LITERAL):
        return repr(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(constant_text, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, np.dtype):
        return f"dtype({value.name})"
    if isinstance(value, np.ndarray | np.generic):
        return f"{type(value).__name__}<{value.dtype.name}{list(value.shape)}>"
    return function_text(value) if callable(value) else f"<{type(value).__name__}>"


_LITERAL = bool | int | float | complex | str | bytes | slice
