"""The text of gast expressions: parentheses only where precedence asks for them.

`Expressions` is the half of the printer that writes within a line. It keeps astunparse's walk (one
`_Class` method a node, `write` to go on with the line) but gathers the pieces of the line rather
than its text, so that `layout` can break it. The table `LEVELS` is the operator precedence of the
Python language reference. Chains that grow with the user's program (`a + b + …`, `x.f().g()…`,
`… if … else …`) are walked in loops, not by recursion.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Any

import astunparse
import gast as _gast

from adcompile.codegen.layout import Group, Op, Piece, flat
from adcompile.codegen.literals import escaped, number, quoted

# gast makes its classes when it is imported, so a type checker knows neither them nor their fields.
gast: Any = _gast
Node = Any


class Level(IntEnum):
    """How tightly an expression binds, loosest first. (`level + 1` is what binds tighter.)"""

    COMPREHENSION = 0  # of the `for` and `if` in a comprehension, as places to break a line
    NAMED = 1
    YIELD = 2
    TUPLE = 3
    TEST = 4
    OR = 5
    AND = 6
    NOT = 7
    COMPARE = 8
    BIT_OR = 9
    BIT_XOR = 10
    BIT_AND = 11
    SHIFT = 12
    SUM = 13
    PRODUCT = 14
    UNARY = 15
    POWER = 16
    AWAIT = 17
    ATOM = 18


# Of a node, or of the operator that a node has. What is not listed is an atom.
LEVELS = {
    **dict.fromkeys(("Name", "Call", "Attribute", "Subscript"), Level.ATOM),
    "NamedExpr": Level.NAMED,
    "Yield": Level.YIELD,
    "YieldFrom": Level.YIELD,
    "Lambda": Level.TEST,
    "IfExp": Level.TEST,
    "Or": Level.OR,
    "And": Level.AND,
    "Not": Level.NOT,
    "Compare": Level.COMPARE,
    "MatchOr": Level.BIT_OR,
    "BitOr": Level.BIT_OR,
    "BitXor": Level.BIT_XOR,
    "BitAnd": Level.BIT_AND,
    "LShift": Level.SHIFT,
    "RShift": Level.SHIFT,
    "Add": Level.SUM,
    "Sub": Level.SUM,
    "Mult": Level.PRODUCT,
    "MatMult": Level.PRODUCT,
    "Div": Level.PRODUCT,
    "FloorDiv": Level.PRODUCT,
    "Mod": Level.PRODUCT,
    "Invert": Level.UNARY,
    "UAdd": Level.UNARY,
    "USub": Level.UNARY,
    "Pow": Level.POWER,
    "Await": Level.AWAIT,
}


def level_of(node: Node) -> Level:
    """How tightly the text of an expression (or of a pattern) binds."""
    kind = type(node).__name__
    known = LEVELS.get(kind)
    if known is not None:
        return known
    if kind in ("BinOp", "BoolOp", "UnaryOp"):
        return LEVELS[type(node.op).__name__]
    if kind == "Constant" and isinstance(node.value, (int, float, complex)):
        text = number(node.value)
        if text.startswith("-") or " " in text:
            return Level.SUM if " " in text else Level.UNARY
    if kind == "Tuple" and len(node.elts) > 1:  # the shorter ones have parentheses of their own
        return Level.TUPLE
    if kind == "MatchAs" and node.pattern is not None:
        return Level.TEST
    return Level.ATOM


_CLOSING = {"(": ")", "[": "]", "{": "}"}


class Inexpressible(ValueError):
    """What an f-string cannot hold before Python 3.12: a backslash or its own quotes in a field."""


class Expressions(astunparse.Unparser):
    """Writes expressions to the line that is open."""

    # astunparse prints from its constructor, to a file; here the lines are laid out first.
    def __init__(self, within: tuple[str, ...] = ()) -> None:
        self.future_imports: list[str] = []
        self._indent = 0
        self._within = within  # the quotes of the f-strings round what is printed
        self._open: list[Group] = []  # the line being written (outermost), and its open brackets

    # Lines and pieces of lines.

    def fill(self, text: str = "") -> None:
        """Start a line."""
        self._open = [Group("", "")]
        self.write(text)

    def write(self, text: str) -> None:
        if text:
            self._open[-1].items[-1].append(text)

    def op(self, text: str, rank: int) -> None:
        """An operator, with its spaces, before which the line may break."""
        self._pieces.append(Op(text, rank))

    def open(self, bracket: str, *, soft: bool = False) -> Group:
        group = Group(bracket, _CLOSING[bracket], soft)
        self._pieces.append(group)
        self._open.append(group)
        return group

    def close(self) -> None:
        self._open.pop().seal()

    def comma(self) -> None:
        """Between two items: of the bracket that is open, or else in plain text."""
        if len(self._open) > 1:
            self._open[-1].items.append([])
        else:
            self.write(", ")

    @property
    def _pieces(self) -> list[Piece]:
        return self._open[-1].items[-1]

    def expr(self, node: Node, level: int = Level.TEST) -> None:
        """An expression (or pattern), in parentheses if it binds less tightly than `level`."""
        if isinstance(node, gast.Name):  # as half of all expressions are
            self.write(node.id)
            return
        method = getattr(self, "_" + type(node).__name__)
        if level_of(node) >= level:
            method(node)
        else:
            self.open("(")
            method(node)
            self.close()

    def named(self, node: Node, level: Level = Level.TEST) -> None:
        """An expression where `name := value` needs no parentheses."""
        self.expr(node, Level.NAMED if isinstance(node, gast.NamedExpr) else level)

    def soft(self, node: Node, level: Level = Level.TEST) -> None:
        """An expression that is put in parentheses if its line is too long."""
        self.open("(", soft=True)
        self.expr(node, level)
        self.close()

    def soft_named(self, node: Node, level: Level = Level.TEST) -> None:
        self.soft(node, Level.NAMED if isinstance(node, gast.NamedExpr) else level)

    def items(self, nodes: Iterable[Node], each: Callable[[Node], object] | None = None) -> None:
        each = each or self.expr
        for i, node in enumerate(nodes):
            if i:
                self.comma()
            each(node)

    def bracket(
        self, bracket: str, nodes: Iterable[Node], each: Callable[[Node], object] | None = None
    ) -> None:
        self.open(bracket)
        self.items(nodes, each)
        self.close()

    # Operators.

    def _chain(self, operands: list[Node], text: str, level: Level) -> None:
        """Operands of one associative operator: none of them may be such a chain itself."""
        for i, operand in enumerate(operands):
            if i:
                self.op(text, level)
            self.expr(operand, level + 1)

    def _BoolOp(self, t: Node) -> None:
        self._chain(t.values, " and " if isinstance(t.op, gast.And) else " or ", level_of(t))

    def _BinOp(self, t: Node) -> None:
        level = level_of(t)
        if level is Level.POWER:
            self.expr(t.left, Level.AWAIT)
            self.op(" ** ", level)
            self.expr(t.right, Level.UNARY)
            return
        spine = [t]
        while isinstance(t.left, gast.BinOp) and level_of(t.left) is level:
            t = t.left
            spine.append(t)
        self.expr(t.left, level)
        for node in reversed(spine):
            self.op(f" {self.binop[type(node.op).__name__]} ", level)
            self.expr(node.right, level + 1)

    def _UnaryOp(self, t: Node) -> None:
        self.write("not " if isinstance(t.op, gast.Not) else self.unop[type(t.op).__name__])
        self.expr(t.operand, level_of(t))

    def _Compare(self, t: Node) -> None:
        self.expr(t.left, Level.BIT_OR)
        for op, operand in zip(t.ops, t.comparators, strict=True):
            self.op(f" {self.cmpops[type(op).__name__]} ", Level.COMPARE)
            self.expr(operand, Level.BIT_OR)

    def _IfExp(self, t: Node) -> None:
        while True:
            self.expr(t.body, Level.OR)
            self.op(" if ", Level.TEST)
            self.expr(t.test, Level.OR)
            self.op(" else ", Level.TEST)
            if not isinstance(t.orelse, gast.IfExp):
                break
            t = t.orelse
        self.expr(t.orelse)

    def _Lambda(self, t: Node) -> None:
        group = Group("", "")
        self._open, outer = [group], self._open  # as plain text: no line ends between parameters
        self._arguments(t.args)
        self._open = outer
        parameters = flat(group.items[0])
        self.write(f"lambda {parameters}: " if parameters else "lambda: ")
        self.expr(t.body)

    def _NamedExpr(self, t: Node) -> None:
        self.expr(t.target)
        self.write(" := ")
        self.expr(t.value)

    def _Await(self, t: Node) -> None:
        self.write("await ")
        self.expr(t.value, Level.ATOM)

    def _Yield(self, t: Node) -> None:
        self.write("yield")
        if t.value is not None:
            self.write(" ")
            self.soft(t.value, Level.TUPLE)

    def _YieldFrom(self, t: Node) -> None:
        self.write("yield from ")
        self.soft(t.value)

    # Calls, subscripts, attributes.

    def _primary(self, t: Node) -> None:
        """`x.f(y)[z]`, from the inside out."""
        spine = []
        while isinstance(t, (gast.Attribute, gast.Call, gast.Subscript)):
            spine.append(t)
            t = t.func if isinstance(t, gast.Call) else t.value
        if isinstance(spine[-1], gast.Attribute) and _is_decimal(t):
            self.bracket("(", [t])  # `1.real` would be a float
        else:
            self.expr(t, Level.ATOM)
        for node in reversed(spine):
            if isinstance(node, gast.Attribute):
                self.write("." + node.attr)
            elif isinstance(node, gast.Call):
                self._call(node)
            else:
                self._index(node.slice)

    _Attribute = _Call = _Subscript = _primary

    def _call(self, t: Node) -> None:
        self.open("(")
        if len(t.args) == 1 and not t.keywords and isinstance(t.args[0], gast.GeneratorExp):
            self._comprehended(t.args[0])
        else:
            self.items([*t.args, *t.keywords], self.named)
        self.close()

    def _index(self, index: Node) -> None:
        group = self.open("[")
        # A tuple needs no parentheses here, and may have none round a slice. One with a single item
        # keeps them, where it can, lest its comma be overlooked.
        if isinstance(index, gast.Tuple) and (
            len(index.elts) > 1
            or any(isinstance(e, (gast.Slice, gast.Starred)) for e in index.elts)
        ):
            self.items(index.elts)
            group.comma = len(index.elts) == 1 and isinstance(index.elts[0], gast.Slice)
        else:
            self.expr(index)
        self.close()

    def _Slice(self, t: Node) -> None:
        if t.lower is not None:
            self.expr(t.lower)
        self.write(":")
        if t.upper is not None:
            self.expr(t.upper)
        if t.step is not None:
            self.write(":")
            self.expr(t.step)

    def _Starred(self, t: Node) -> None:
        self.write("*")
        self.expr(t.value, Level.BIT_OR)

    def _keyword(self, t: Node) -> None:
        self.write("**" if t.arg is None else t.arg + "=")
        self.expr(t.value)

    def _arguments(self, t: Node) -> None:
        positional = [*t.posonlyargs, *t.args]
        defaults = [None] * (len(positional) - len(t.defaults)) + t.defaults
        entries = [("", *pair) for pair in zip(positional, defaults, strict=True)]
        if t.posonlyargs:
            entries.insert(len(t.posonlyargs), ("/", None, None))
        if t.vararg is not None or t.kwonlyargs:
            entries.append(("*", t.vararg, None))
        entries += [("", *pair) for pair in zip(t.kwonlyargs, t.kw_defaults, strict=True)]
        if t.kwarg is not None:
            entries.append(("**", t.kwarg, None))
        self.items(entries, self._parameter)

    def _parameter(self, entry: tuple[str, Node, Node]) -> None:
        stars, name, default = entry
        self.write(stars)
        if name is None:
            return
        self.write(name.id)
        if name.annotation is not None:
            self.write(": ")
            self.expr(name.annotation)
        if default is not None:
            self.write("=" if name.annotation is None else " = ")
            self.expr(default)

    # Displays and comprehensions.

    def _Name(self, t: Node) -> None:
        self.write(t.id)

    def _Tuple(self, t: Node) -> None:
        """Without parentheses, which are up to whoever knows what stands round it."""
        if len(t.elts) > 1:
            self.items(t.elts)
            return
        group = self.open("(")
        self.items(t.elts)
        group.comma = bool(t.elts)
        self.close()

    def _List(self, t: Node) -> None:
        self.bracket("[", t.elts, self.named)

    def _Set(self, t: Node) -> None:
        if t.elts:
            self.bracket("{", t.elts, self.named)
        else:
            self.write("{*()}")

    def _Dict(self, t: Node) -> None:
        self.bracket("{", zip(t.keys, t.values, strict=True), self._pair)

    def _pair(self, pair: tuple[Node, Node]) -> None:
        key, value = pair
        if key is None:
            self.write("**")
            self.expr(value, Level.BIT_OR)
        else:
            self.expr(key)
            self.write(": ")
            self.expr(value)

    def _comprehended(self, t: Node) -> None:
        if isinstance(t, gast.DictComp):
            self._pair((t.key, t.value))
        else:
            self.expr(t.elt)
        for generator in t.generators:
            self._comprehension(generator)

    def _ListComp(self, t: Node) -> None:
        self.bracket("[", [t], self._comprehended)

    def _SetComp(self, t: Node) -> None:
        self.bracket("{", [t], self._comprehended)

    _DictComp = _SetComp

    def _GeneratorExp(self, t: Node) -> None:
        self.bracket("(", [t], self._comprehended)

    def _comprehension(self, t: Node) -> None:
        self.op(" async for " if t.is_async else " for ", Level.COMPREHENSION)
        self.soft(t.target, Level.TUPLE)
        self.write(" in ")
        self.expr(t.iter, Level.OR)
        for test in t.ifs:
            self.op(" if ", Level.COMPREHENSION)
            self.expr(test, Level.OR)

    # Constants and f-strings.

    def _Constant(self, t: Node) -> None:
        self.write(self._constant(t.value, getattr(t, "kind", None) or ""))

    def _constant(self, value: object, kind: str = "") -> str:
        if isinstance(value, (str, bytes)):
            return kind + self._literal(value)
        if isinstance(value, (int, float, complex)):
            return number(value)
        if isinstance(value, tuple):  # constant folding makes them
            items = ", ".join(map(self._constant, value))
            return f"({items},)" if len(value) == 1 else f"({items})"
        if value is None or value is ...:
            return "None" if value is None else "..."
        raise TypeError(f"no literal denotes {value!r}, of type {type(value).__name__}")

    def _literal(self, value: str | bytes) -> str:
        """A string literal, which within an f-string has to get by with what quotes remain."""
        for quote in ("", '"', "'"):
            text = quoted(value, quote)
            if self._allows(text):
                return text
        raise Inexpressible(f"{value!r} within an f-string")

    def _allows(self, text: str) -> bool:
        return not self._within or ("\\" not in text and not any(q in text for q in self._within))

    def _JoinedStr(self, t: Node) -> None:
        text = "".join(part.value for part in t.values if isinstance(part, gast.Constant))
        single_first = '"' in text and "'" not in text
        for quote in ("'", '"', '"""', "'''") if single_first else ('"', "'", '"""', "'''"):
            try:
                literal = f"f{quote}{self._fields(t.values, quote)}{quote}"
            except Inexpressible:
                continue
            if self._allows(literal):
                self.write(literal)
                return
        if self._within:
            raise Inexpressible("an f-string within an f-string")
        self._format(t)

    def _FormattedValue(self, t: Node) -> None:
        self._JoinedStr(gast.JoinedStr([t]))

    def _fields(self, values: list[Node], quote: str, spec: bool = False) -> str:
        """What stands between the quotes of an f-string, or after the colon of a field."""
        parts = []
        for node in values:
            if isinstance(node, gast.Constant):
                if spec and re.search(r"[{}\\]|[^ -~]", node.value):
                    raise Inexpressible("Pythons differ on escapes in a format")
                text = escaped(node.value).replace("{", "{{").replace("}", "}}")
                parts.append(text.replace(quote[0], "\\" + quote[0]))
                continue
            field = Expressions(within=(*self._within, quote))._field(node.value)
            if node.conversion != -1:
                field += "!" + chr(node.conversion)
            if node.format_spec is not None:
                field += ":" + self._fields(node.format_spec.values, quote, spec=True)
            parts.append("{" + field + "}")
        return "".join(parts)

    def _field(self, value: Node) -> str:
        self.fill()
        self.expr(value)
        text = flat(self._pieces)
        if any(isinstance(piece, str) and "lambda" in piece for piece in self._pieces):
            return f"({text})"  # lest its colon start the format
        return " " + text if text.startswith("{") else text

    def _format(self, t: Node) -> None:
        """An f-string that Python 3.11 cannot read, as a call of `str.format` in its stead."""
        arguments: list[Node] = []
        template = _template(t.values, arguments)
        self.write(quoted(template) + ".format")
        self.bracket("(", arguments)


def _template(values: list[Node], arguments: list[Node], depth: int = 0) -> str:
    """The template of `str.format` for the parts of an f-string; appends to `arguments`."""
    parts = []
    for node in values:
        if isinstance(node, gast.Constant):
            if depth and re.search("[{}]", node.value):
                raise Inexpressible("a brace in a format")
            parts.append(node.value.replace("{", "{{").replace("}", "}}"))
            continue
        if depth > 1:
            raise Inexpressible("a format within a format within a format")
        arguments.append(node.value)
        field = "" if node.conversion == -1 else "!" + chr(node.conversion)
        if node.format_spec is not None:
            field += ":" + _template(node.format_spec.values, arguments, depth + 1)
        parts.append("{" + field + "}")
    return "".join(parts)


def _is_decimal(node: Node) -> bool:
    """Whether a dot after the node's text would be read as part of a number."""
    return isinstance(node, gast.Constant) and type(node.value) is int and node.value >= 0
