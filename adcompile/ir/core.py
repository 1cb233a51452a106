"""The intermediate representation: structured SSA.

A `Function` has parameters and one `Block`; a block is a list of `Op`s whose last one is its
terminator (`Return` for a function, `Yield` for every nested block). Control flow is structured:
`If`, `For` and `While` hold blocks and have results. There is no memory: a write makes a new value
(`Update`), and no jumps: `break`, `continue` and early `return` become values when a function is
lowered. Effects (`Call.effect`, `Assert`, `Raise`, `Write`) keep their order in the list.

After MLIR's structured control flow dialect and xdsl's plain Python records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, get_args

from adcompile.ir.types import Type


@dataclass(eq=False, slots=True)
class Stmt:
    """One statement of a user's program; its identity tells which ops belong together."""

    file: str
    line: int
    text: str  # the statement's header as written, dedented, without trailing comment
    function: str  # the name of the function that it stands in
    hook: Stmt | None = None  # the `with gradient_of(x)` around it, in the backward sweep of …
    order: int = 0  # … this order, where it runs as it was written


@dataclass(frozen=True, slots=True)
class Loc:
    """Where an op comes from: the span of its expression, and the statement around it."""

    stmt: Stmt
    line: int
    col: int
    end_line: int
    end_col: int


NOWHERE = Loc(Stmt("<adcompile>", 0, "", "<adcompile>"), 0, 0, 0, 0)


@dataclass(eq=False, slots=True)
class Value:
    """Something computed once. `name` is the user's own name for it, or a hint, or None."""

    type: Type
    name: str | None = None
    owner: Op | Block | None = field(default=None, repr=False)  # what defines it


@dataclass(eq=False, slots=True)
class Block:
    params: list[Value] = field(default_factory=list)
    ops: list[Op] = field(default_factory=list)

    def __post_init__(self) -> None:
        for p in self.params:
            p.owner = self

    @property
    def terminator(self) -> Op:
        return self.ops[-1]

    @property
    def yields(self) -> list[Value]:
        """What the block's terminator hands out."""
        return self.ops[-1].operands


@dataclass(eq=False, repr=False, slots=True)
class Op:
    """Operands in, results out. Subclasses add their attributes as further fields.

    `order` is 0 for what the user wrote and n for what the n-th differentiation made of it.
    """

    operands: list[Value]
    results: list[Value]
    loc: Loc
    order: int = 0

    def __post_init__(self) -> None:
        for r in self.results:
            r.owner = self

    def __repr__(self) -> str:
        return f"<{type(self).__name__}, line {self.loc.line}, order {self.order}>"

    @property
    def blocks(self) -> list[Block]:
        return []

    @property
    def result(self) -> Value:
        (value,) = self.results
        return value


# --- leaves -------------------------------------------------------------------------------------


@dataclass(eq=False, repr=False, slots=True)
class Const(Op):
    """A Python object: a number, None, a string, a dtype, a function, a tuple of such."""

    value: Any = None


@dataclass(eq=False, repr=False, slots=True)
class Global(Op):
    """Plain data from outside the function (a global, a closure cell), read at each call."""

    source: GlobalRef = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class GlobalRef:
    """Where a `Global` reads: `read()` gives the current object; `name` is the user's."""

    name: str
    read: Callable[[], Any] = field(compare=False)
    key: Hashable = None  # (id of namespace or cell, name): equal keys are the same variable


class Handle(GlobalRef):
    """A name from outside that stands for its object, whatever that holds at the moment."""


class Undef(Op):
    """A value that is never looked at (a variable not assigned on this path)."""

    __slots__ = ()


# --- computing ----------------------------------------------------------------------------------


@dataclass(eq=False, repr=False, slots=True)
class Call(Op):
    """A call of a Python callable: operators are `operator.add` and its kin.

    The last `len(keywords)` operands are keyword arguments. `member` says how the user wrote it:
    None for `np.sum(x)` or `a + b`, `"sum()"` for the method call `x.sum()`, `"T"` for the
    attribute `x.T`; `fn` is the same canonical function (`np.sum`, `np.transpose`) in each case.
    More than one result stands for a function that returns a tuple of known length.
    `effect` marks calls that are kept, in order, once.
    """

    fn: Callable[..., Any] = field(kw_only=True)
    keywords: tuple[str, ...] = ()
    member: str | None = None
    effect: bool = False

    @property
    def args(self) -> list[Value]:
        return self.operands[: len(self.operands) - len(self.keywords)]

    @property
    def kwargs(self) -> dict[str, Value]:
        return dict(zip(self.keywords, self.operands[len(self.args) :], strict=True))


@dataclass(frozen=True, slots=True)
class Slice:
    """A slice in an index; each flag says whether that bound is given, as an operand."""

    start: bool = False
    stop: bool = False
    step: bool = False


# An index is a tuple of entries: "value" (an int, an integer array or a boolean mask: one
# operand), a Slice (one operand a given bound), None (a new axis) or Ellipsis.
Entry = str | Slice | None | type(Ellipsis)
Spec = tuple[Entry, ...]


@dataclass(eq=False, repr=False, slots=True)
class Index(Op):
    """`x[...]` of an array: operands are x and the index's values in the order of `spec`.

    `item` marks the read that `for v in xs` makes of `xs[i]`, so that it prints back as such.
    """

    spec: Spec = ("value",)
    item: bool = False


@dataclass(frozen=True, slots=True)
class ViewCall:
    """A view that a function takes of an array, with `count` operands after the array.

    `x.T`, `np.swapaxes(x, 0, 1)`: whatever the layout of `x`, the result shares its memory.
    """

    fn: Callable[..., Any]
    count: int = 0
    keywords: tuple[str, ...] = ()
    member: str | None = None


Step = Spec | ViewCall  # one view of a chain: `x[1:]`, `x.T`


@dataclass(eq=False, repr=False, slots=True)
class Update(Op):
    """`x[...] = v` or `x[...] += v` as a new value.

    `mode` is "=", "+" or "-" as in `x[...] += v`, or "add.at", which adds up repeated indices
    (`np.add.at`). With `views` the write goes through a chain of views of x: `x.T[1:][i] = v`.
    Operands are x, v, those of the views in order, and the index's values. `taken`: the derivative
    that was there has been taken on to something else, and so there is a zero now.
    """

    spec: Spec = ("value",)
    mode: str = "="
    views: tuple[Step, ...] = ()
    taken: bool = False

    @property
    def view_operands(self) -> list[list[Value]]:
        """The operands of each view."""
        rest = iter(self.operands[2:])
        return [[next(rest) for _ in range(operand_count(step))] for step in self.views]

    @property
    def at(self) -> list[Value]:
        """The index's values."""
        return self.operands[2 + sum(map(operand_count, self.views)) :]


def operand_count(step: Step) -> int:
    """How many operands a view takes after its array."""
    if isinstance(step, ViewCall):
        return step.count
    return sum(e.start + e.stop + e.step if isinstance(e, Slice) else e == "value" for e in step)


class Make(Op):
    """Build a container: the result's type is a `Tree` whose items are the operands in order."""

    __slots__ = ()


@dataclass(eq=False, repr=False, slots=True)
class Item(Op):
    """One child of a tree: `params["W"]`, `pair[0]`, `model.bias` (as the tree's class has it)."""

    key: Hashable = None


@dataclass(eq=False, repr=False, slots=True)
class Unpack(Op):
    """All children of a tuple or list, one result each: `a, b = pair`.

    `lost` are (i, j, k) where the i-th result is undefined on the k-th way of a branch on the j-th:
    of what was saved, which no longer shows it.
    """

    lost: frozenset[tuple[int, int, int]] = frozenset()

    def is_lost(self, v: Value) -> bool:
        """Whether a result is undefined on some way."""
        k = self.results.index(v)
        return any(i == k for i, _, _ in self.lost)


# --- lists of unknown length (and tapes) --------------------------------------------------------


class NewSeq(Op):
    """`[]`. Operands, if any, are its first items."""

    __slots__ = ()


@dataclass(eq=False, repr=False, slots=True)
class Append(Op):
    """`seq.append(item)` as a new value: operands are seq and item.

    `purpose` is for tapes: the comment that says what the saved value is for.
    """

    purpose: str | None = None


class Pop(Op):
    """`item = seq.pop()`: results are [rest, item]. What `Append` is to the adjoint."""

    __slots__ = ()


# Reading a Seq is `Index` with one "value" entry; `len` is a Call.


# --- control flow -------------------------------------------------------------------------------


@dataclass(eq=False, repr=False, slots=True)
class If(Op):
    """operands: [condition]. Blocks take no parameters and yield one value a result.

    `form`: "if", or how an expression wrote it: "ifexp", "and", "or".
    """

    then: Block = field(kw_only=True)
    orelse: Block = field(kw_only=True)
    form: str = "if"

    @property
    def blocks(self) -> list[Block]:
        return [self.then, self.orelse]


@dataclass(eq=False, repr=False, slots=True)
class For(Op):
    """Counted loop. Results are the last carried values.

    over="range": operands are [start, stop, step, *inits], the body's parameters [i, *carried].
    over="seq":   operands are [seq, *inits], the body's parameters [item, *carried]; seq is a Seq
                  (or a 1-level tree never: those are unrolled).
    `reverse` runs over the same range or sequence from its last element to its first.
    The body yields [*carried] when `stops` is false, else [*carried, stop]: a bool that ends the
    loop after this iteration; the carried values of that iteration are the results.
    `narrowed`: it goes only through those iterations of another loop that went into a branch.
    """

    body: Block = field(kw_only=True)
    over: str = "range"
    reverse: bool = False
    stops: bool = False
    narrowed: bool = False

    @property
    def blocks(self) -> list[Block]:
        return [self.body]

    @property
    def heads(self) -> int:
        """How many operands come before the initial values."""
        return 3 if self.over == "range" else 1

    @property
    def inits(self) -> list[Value]:
        return self.operands[self.heads :]

    @property
    def carried(self) -> list[Value]:
        return self.body.params[1:]


@dataclass(eq=False, repr=False, slots=True)
class While(Op):
    """operands: the initial values. `cond` and `body` each take the carried values as parameters.

    `cond` yields one bool (Python truth is applied); `body` yields like that of a `For`.
    """

    cond: Block = field(kw_only=True)
    body: Block = field(kw_only=True)
    stops: bool = False

    @property
    def blocks(self) -> list[Block]:
        return [self.cond, self.body]

    @property
    def inits(self) -> list[Value]:
        return self.operands

    @property
    def carried(self) -> list[Value]:
        return self.body.params


@dataclass(eq=False, repr=False, slots=True)
class Invoke(Op):
    """A call of another `Function` of the module, kept as a call (recursion, large callees)."""

    callee: Function = field(kw_only=True)


@dataclass(eq=False, repr=False, slots=True)
class Partial(Op):
    """operands: [saved]. The callee with its last argument bound: what a VJP returns."""

    callee: Function = field(kw_only=True)


@dataclass(eq=False, repr=False, slots=True)
class Scope(Op):
    """`with manager: body` for a manager that touches no value: [manager] in.

    The body may have a parameter: what the manager gives (`as name`). With `effect`, entering and
    leaving it is one, to be had once. Without a manager it is a plain block (of a backward sweep).
    """

    body: Block = field(kw_only=True)
    effect: bool = False

    @property
    def blocks(self) -> list[Block]:
        return [self.body]


@dataclass(eq=False, repr=False, slots=True)
class Try(Op):
    """`try: body` and `except classes as e: handler`: operands are the classes that are caught.

    The body takes no parameters, the handler the exception; each yields one value a result. The
    handler does nothing but say so (constants, the exception): what the program does about it
    follows in an `If`, so that an exception in there is none of the body's.
    """

    body: Block = field(kw_only=True)
    handler: Block = field(kw_only=True)

    @property
    def blocks(self) -> list[Block]:
        return [self.body, self.handler]


# --- effects and terminators --------------------------------------------------------------------


class Assert(Op):
    """operands: [condition] or [condition, message]."""

    __slots__ = ()


class Raise(Op):
    """operands: [exception] or [exception, cause]. What follows in the block never runs."""

    __slots__ = ()


class Write(Op):
    """operands: [array, value]: `array[...] = value`, seen by the caller (a compiled step).

    The result is the array as it is afterwards; the operand is not to be read any more.
    """

    __slots__ = ()


class Yield(Op):
    """Ends a nested block."""

    __slots__ = ()


class Return(Op):
    """Ends a function: one operand a result (several print as a tuple)."""

    __slots__ = ()


@dataclass(eq=False, slots=True)
class Param:
    """How a parameter is written in the generated signature."""

    name: str
    kind: str = "POSITIONAL_OR_KEYWORD"  # the names of inspect.Parameter's kinds
    default: Any = field(default_factory=lambda: MISSING)


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING = _Missing()


@dataclass(eq=False, slots=True, repr=False)
class Function:
    name: str
    block: Block
    params: list[Param]  # one for each of block.params
    doc: str | None = None
    loc: Loc = NOWHERE
    settled: object = None  # what one run of `simplify` leaves for the next
    pending: list[Op] = field(default_factory=list)  # ops it is to have (ad/invoke.py)
    demands: object = None  # what is noted of sizes, to be checked at the end (passes/checks.py)
    # The orders of ops that forward mode made: each stands beside the one it is the tangent of.
    beside: frozenset[int] = frozenset()
    # Where a program writes into its arguments: the name of a parameter, then keys of trees.
    writes: tuple[tuple[Any, ...], ...] = ()

    def __repr__(self) -> str:
        return f"<Function {self.name}>"

    def __str__(self) -> str:
        from adcompile.ir.printer import to_text

        return to_text(self)

    @property
    def returns(self) -> list[Value]:
        return self.block.yields


Structured = If | For | While | Scope | Try  # the ops that hold blocks
STRUCTURED: frozenset[type[Op]] = frozenset(get_args(Structured))  # quicker to ask, for walks


# --- walking (iterative: programs may be long and deep) -----------------------------------------


def walk_blocks(root: Block) -> Iterator[Block]:
    """`root` and all blocks inside it, outer before inner."""
    stack = [root]
    while stack:
        block = stack.pop()
        yield block
        inner = [b for op in block.ops if type(op) in STRUCTURED for b in op.blocks]
        stack.extend(reversed(inner))


def walk(root: Block) -> Iterator[Op]:
    """All ops of `root` in program order, an op before those of its blocks."""
    stack = [iter(root.ops)]
    while stack:
        for op in stack[-1]:
            yield op
            if type(op) in STRUCTURED:
                stack.extend(iter(b.ops) for b in reversed(op.blocks))
                break
        else:
            stack.pop()


def defined_in(blocks: Iterable[Block]) -> set[Any]:
    """The values that are made inside `blocks`."""
    found: set[Any] = set()
    for root in blocks:
        for block in walk_blocks(root):
            found.update(block.params)
            for op in block.ops:
                found.update(op.results)
    return found


def all_ops(fn: Function) -> Iterator[Op]:
    """The ops of `fn`, and those that are still to become its own."""
    return chain(walk(fn.block), walk(Block([], fn.pending)))


def callees(root: Function) -> list[Function]:
    """`root` and every function that it may invoke, in order of first appearance."""
    found = [root]
    for fn in found:  # grows while it is walked
        for op in all_ops(fn):
            if isinstance(op, Invoke | Partial) and all(op.callee is not f for f in found):
                found.append(op.callee)
    return found


def substitute(root: Block, new: dict[Value, Value]) -> None:
    """Replace every use of a key of `new` inside `root` by its value (chains are followed)."""
    if not new:
        return
    for op in walk(root):
        for i, v in enumerate(op.operands):
            while v in new:
                v = new[v]
            op.operands[i] = v


def discard(ops: Iterable[Op]) -> None:
    """Let go of ops that are of no use any more.

    An op and its results hold each other: apart they are freed at once, and not by the garbage
    collector, which would have to look at all there is.
    """
    for op in ops:
        op.results.clear()


def use_counts(root: Block) -> dict[Value, int]:
    return Counter(chain.from_iterable([op.operands for op in walk(root)]))


def constant(value: Value, default: Any = MISSING) -> Any:
    """The Python object that `value` is known to be, or `default`."""
    return value.owner.value if isinstance(value.owner, Const) else default


def is_quoted(op: Op) -> bool:
    """Whether the user wrote `op` for the backward sweep that it stands in: it stays as it is."""
    return op.order > 0 and op.order == op.loc.stmt.order
