"""What crosses from the forward to the backward sweep.

Reverse mode builds the backward sweep as if every primal value were at hand. Here each backward
loop, innermost first, gets what it really reads of the forward loop's body: recomputed where that
is a few scalar operations on what is there anyway (indices, constants, elements of arrays), and
otherwise saved on a *tape*: one list that the forward loop appends to once an iteration and the
backward loop reads in reverse. An inner tape is an ordinary value of the outer body, so nesting
costs no further idea. A value inside a branch is handed out through the branch's results.

If nothing is saved and nothing ends the loop early, the range itself is run backwards. If only one
side of a branch contributes to the backward body, only the iterations that took it are taped
(*narrowing*).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from adcompile.ad import reuse
from adcompile.ad.recompute import (
    CHEAP_LIMIT,
    SHAPE_QUERIES,
    alike,
    is_arithmetic,
    is_cheap,
    is_scalar,
    overwritten,
    reads_overwritten,
)
from adcompile.ir import core
from adcompile.ir.builder import Builder
from adcompile.ir.clone import clone_block
from adcompile.ir.core import Block, Function, Op, Value
from adcompile.ir.effects import has_effect
from adcompile.ir.types import INT, Seq, Tree, Type

Loop = core.For | core.While


@dataclass(eq=False, slots=True)
class Nest:
    """Where everything stands: the block of each value, the op and block around each block."""

    home: dict[Value, Block] = field(default_factory=dict)
    around: dict[Block, tuple[Op, Block]] = field(default_factory=dict)
    overwritten: set[Value] = field(default_factory=set)  # arrays of which others are made in place

    @staticmethod
    def of(fn: Function) -> Nest:
        nest = Nest(overwritten=overwritten(fn))
        for block in core.walk_blocks(fn.block):
            nest.home.update((p, block) for p in block.params)
            for op in block.ops:
                nest.home.update((r, block) for r in op.results)
                nest.around.update((inner, (op, block)) for inner in op.blocks)
        return nest

    def within(self, block: Block, root: Block) -> bool:
        """Whether `block` is `root` or stands inside it."""
        while block is not root:
            if block not in self.around:
                return False
            block = self.around[block][1]
        return True

    def thread(
        self, v: Value, source: Block, target: Block, otherwise: Callable[[Block], Value]
    ) -> Value:
        """Hand `v` out of `source` up to `target` as results of the branches in between.

        `otherwise(arm)` is what the arms that `v` does not stand in yield.
        """
        while source is not target:
            op, outer = self.around[source]
            if v in source.yields:  # it is handed out already
                v, source = op.results[source.yields.index(v)], outer
                continue
            for arm in op.blocks:
                arm.yields.append(v if arm is source else otherwise(arm))
            result = Value(v.type, v.name, op)
            op.results.append(result)
            self.home[result] = outer
            v, source = result, outer
        return v

    def undefined(self, v: Value) -> Callable[[Block], Value]:
        """For `thread`: an arm that does not define `v` yields nothing in its place."""

        def make(arm: Block) -> Value:
            nothing = Value(v.type)
            last = arm.terminator
            arm.ops.insert(len(arm.ops) - 1, core.Undef([], [nothing], last.loc, last.order))
            self.home[nothing] = arm
            return nothing

        return make


def settle(fn: Function, links: dict[Op, Op]) -> None:
    """Make `fn`, with its backward control flow linked to its primal one, proper SSA."""
    links = _live(fn, links)
    if links:
        _settle_block(fn.block, Nest.of(fn), links)
        if any(isinstance(op, core.Scope) for op in links):
            _flatten(fn)


def _flatten(fn: Function) -> None:
    """What stands in plain blocks stands where they stand."""
    new: dict[Value, Value] = {}
    for block in reversed(list(core.walk_blocks(fn.block))):  # inner ones first
        ops: list[Op] = []
        for op in block.ops:
            if isinstance(op, core.Scope) and not op.operands:
                new.update(zip(op.results, op.body.yields, strict=True))
                ops += op.body.ops[:-1]
            else:
                ops.append(op)
        block.ops[:] = ops
    core.substitute(fn.block, new)


def _live(fn: Function, links: dict[Op, Op]) -> dict[Op, Op]:
    return {op: links[op] for op in core.walk(fn.block) if op in links} if links else {}


def _settle_block(block: Block, nest: Nest, links: dict[Op, Op], in_loop: bool = False) -> None:
    """Settle the backward control flow of `block`, inner loops first.

    Inside a loop, branches are left to the loop: it may recompute what they read. Those of a rule
    stand in the backward body themselves.
    """
    for op in list(block.ops):
        primal = links.get(op)
        if isinstance(primal, Loop):
            assert isinstance(op, core.For)
            site = _narrow(op, primal.body, nest, links)
            op.narrowed |= site is not primal.body
            _settle_block(op.body, nest, links, in_loop=True)
            mirror = {primal.body: op.body, site: op.body} | _mirror(op.body, links)
            LoopPair(op, primal, site, mirror, nest).settle()
        elif primal is not None:
            for inner in op.blocks:
                _settle_block(inner, nest, links, in_loop)
            if not in_loop or _stands_in(primal, block, nest):
                _settle_branches(op, primal, nest)


def _stands_in(op: Op, block: Block, nest: Nest) -> bool:
    return op.blocks[0] in nest.around and nest.around[op.blocks[0]][1] is block


def _mirror(block: Block, links: dict[Op, Op]) -> dict[Block, Block]:
    """The backward block of each arm of the primal branches that `block` undoes."""
    found: dict[Block, Block] = {}
    work = [block]
    for block in work:  # grows while it is walked
        for op in block.ops:
            if op in links and not isinstance(op, Loop):
                found.update(zip(links[op].blocks, op.blocks, strict=True))
                work.extend(op.blocks)
    return found


def _settle_branches(op: Op, primal: Op, nest: Nest) -> None:
    """Hand out of the arms of `primal` what the arms of `op` read of them."""
    if primal.blocks[0] not in nest.around:  # nobody reads anything of it
        return
    outer = nest.around[primal.blocks[0]][1]
    for arm, source in zip(op.blocks, primal.blocks, strict=True):
        new: dict[Value, Value] = {}
        for v in _reads(arm, source, nest):
            if isinstance(v.owner, core.Const):  # is there again at no cost
                again = _copy(v.owner, [], op.order)
                arm.ops.insert(0, again)
                nest.home[again.result] = arm
                new[v] = again.result
            else:
                new[v] = nest.thread(v, nest.home[v], outer, nest.undefined(v))
        core.substitute(arm, new)


def _reads(block: Block, source: Block, nest: Nest) -> list[Value]:
    """The values defined inside `source` that `block` reads, in order of definition."""
    found = {
        v: None
        for op in core.walk(block)
        for v in op.operands
        if v in nest.home and nest.within(nest.home[v], source)
    }
    order = {v: k for k, v in enumerate(_definitions(source))}
    return sorted(found, key=order.__getitem__)


def _definitions(block: Block) -> Iterator[Value]:
    yield from block.params
    for op in core.walk(block):
        for inner in op.blocks:
            yield from inner.params
        yield from op.results


def _narrow(op: core.For, site: Block, nest: Nest, links: dict[Op, Op]) -> Block:
    """Where to append: as deep in the primal body as the backward body's work goes.

    A backward body that is one branch with an idle side becomes its busy side.
    """
    while site in nest.around:  # (else the primal loop is gone)
        undefined = [o for o in op.body.ops if isinstance(o, core.Undef)]
        if len(op.body.ops) != len(undefined) + 2:
            return site
        branch, end = [o for o in op.body.ops if o not in undefined]
        primal = links.get(branch)
        if not isinstance(branch, core.If) or primal not in site.ops:
            return site
        if isinstance(primal, core.Try):  # its body may raise after the append
            return site
        outside = {r: k for k, r in enumerate(branch.results)}
        idle = [
            all(
                isinstance(y.owner, core.Undef)
                or (arm.yields[outside[y]] if y in outside else y) is p
                for y, p in zip(end.operands, op.carried, strict=True)
            )
            and not any(map(has_effect, arm.ops))
            for arm in branch.blocks
        ]
        if idle.count(True) != 1:
            return site
        busy = idle.index(False)
        arm = branch.blocks[busy]
        end.operands = [arm.yields[outside[y]] if y in outside else y for y in end.operands]
        op.body.ops = [*undefined, *arm.ops[:-1], end]
        for inner_op in arm.ops[:-1]:
            for r in inner_op.results:
                nest.home[r] = op.body
            for b in inner_op.blocks:
                nest.around[b] = (inner_op, op.body)
        site = primal.blocks[busy]
    return site


@dataclass(frozen=True, slots=True)
class Recipe:
    """How many ops make a value again, from which values that must be saved for it."""

    cost: int
    leaves: frozenset[Value]
    indexed: bool = False  # the loop's counter is needed


@dataclass(eq=False, slots=True)
class LoopPair:
    """A backward loop and the primal loop whose iterations it undoes."""

    backward: core.For
    primal: Loop
    site: Block  # the block inside the primal body that every undone iteration goes through
    mirror: dict[Block, Block]  # the backward block of the primal body and of its branches' arms
    nest: Nest
    recipes: dict[Value, Recipe] = field(default_factory=dict)

    def settle(self) -> None:
        needed = _reads(self.backward.body, self.primal.body, self.nest)
        self._ask_outside(needed)
        needed = self._move_shape_queries(needed)
        saved = self._choose(needed)
        if reuse.share(self.backward.body, self.primal.body, saved):
            needed = _reads(self.backward.body, self.primal.body, self.nest)
            saved = self._choose(needed)
        indexed = [v for v in needed if v not in saved and self._recipe(v).indexed]
        every = self.site is self.primal.body and not self.primal.stops
        index = self._index()
        if not saved and every and index is not None:
            self._run_backwards(needed)
            return
        if len(indexed) == 1 and indexed[0] is not index and saved:
            saved += indexed  # itself, rather than the index and another look at the array
        elif index is not None and (indexed or not saved):
            saved.append(index)
        if saved:
            if index in saved and index.name is None and index.type == INT:
                index.name = "i"
            order = {v: k for k, v in enumerate(_definitions(self.primal.body))}
            saved.sort(key=order.__getitem__)
            self._read_tape(saved, [v for v in needed if v not in saved])
        else:
            self._count_trips(needed)

    # --- what a value costs to recompute ---------------------------------------------------------

    def _index(self) -> Value | None:
        """The loop's counter, if it has one: or the item, of a loop over a list."""
        return self.primal.body.params[0] if isinstance(self.primal, core.For) else None

    def _inside(self, v: Value) -> bool:
        return v in self.nest.home and self.nest.within(self.nest.home[v], self.primal.body)

    def _choose(self, needed: list[Value]) -> list[Value]:
        """What to save of `needed`: what cannot be recomputed from the rest."""
        saved = [v for v in needed if v in self._recipe(v).leaves]
        for v in needed:
            if not self._recipe(v).leaves <= set(saved):
                saved.append(v)
        return saved

    def _recipe(self, v: Value) -> Recipe:
        """How to recompute `v` in the backward body."""
        if v not in self.recipes:
            self.recipes[v] = Recipe(0, frozenset([v]))  # as long as it is being looked into
            self.recipes[v] = self._find_recipe(v)
        return self.recipes[v]

    def _find_recipe(self, v: Value) -> Recipe:
        if not self._inside(v) or v is self._index():
            return Recipe(0, frozenset(), v is self._index())
        op = v.owner
        lost = Recipe(0, frozenset([v]))
        if not isinstance(op, Op) or self._place_for(v) is None:
            return lost
        if reads_overwritten(op, self.nest.overwritten):
            return lost  # a part of it now, rather than all of it later
        if is_cheap(op) or is_arithmetic(op):
            parts = [self._recipe(x) for x in op.operands]
            cost = (not isinstance(op, core.Const)) + sum(part.cost for part in parts)
            same = not any(part.leaves or part.indexed for part in parts)  # in every iteration
            if cost <= CHEAP_LIMIT and (is_cheap(op) or same):
                leaves = frozenset().union(*(part.leaves for part in parts))
                return Recipe(cost, leaves, any(part.indexed for part in parts))
        return lost

    def _ask_outside(self, needed: list[Value]) -> None:
        """Numbers made of shapes: ask an array from before the loops, so that none is saved."""
        work = [v for v in needed if is_scalar(v.type)]
        for v in work:  # grows while it is walked
            op = v.owner
            if not isinstance(op, core.Call) or op.order == 0 or not self._inside(v):
                continue
            if op.fn in SHAPE_QUERIES:
                stand_in, part = alike(op.operands[0], self._around)
                op.operands[0] = op.operands[0] if part is not None else stand_in
            elif is_cheap(op):
                work += op.operands

    def _move_shape_queries(self, needed: list[Value]) -> list[Value]:
        """Ask for shapes in the forward body, so that no array is kept for its shape alone."""
        lost = {v for v in needed if self._recipe(v).leaves}
        queries: list[tuple[Block, Op]] = []
        other: set[Value] = set()
        for block in core.walk_blocks(self.backward.body):
            for op in block.ops:
                if isinstance(op, core.Call) and op.fn in SHAPE_QUERIES and op.operands[0] in lost:
                    queries.append((block, op))
                else:
                    other.update(v for v in op.operands if v in lost)
        moved = False
        for block, op in queries:
            x = op.operands[0]
            stand_in, part = alike(x, self._around)
            if stand_in is not x:
                op.operands[0] = stand_in if part is None else self._again(part, stand_in, op)
                moved = True
            elif x not in other:
                block.ops.remove(op)
                home = self.nest.home[x]
                op.order = self.primal.order
                home.ops.insert(_position_after(home, [x]), op)
                self.nest.home.update((r, home) for r in op.results)
                moved = True
        return _reads(self.backward.body, self.primal.body, self.nest) if moved else needed

    def _around(self, v: Value) -> tuple[Op, Block] | None:
        return self.nest.around.get(self.nest.home[v])

    def _again(self, part: core.Index, x: Value, before: Op) -> Value:
        """The same part of `x`, made right before an op of the backward sweep."""
        made = [
            _copy(v.owner, [], before.order) for v in part.operands[1:] if isinstance(v.owner, Op)
        ]
        made.append(_copy(part, [x, *[op.result for op in made]], before.order))
        for block in core.walk_blocks(self.backward.body):
            if before in block.ops:
                k = block.ops.index(before)
                block.ops[k:k] = made
                self.nest.home.update((op.result, block) for op in made)
        return made[-1].result

    # --- the three ways to run backwards ----------------------------------------------------------

    def _run_backwards(self, needed: list[Value]) -> None:
        """Over the same range or list in reverse."""
        primal, backward = self.primal, self.backward
        assert isinstance(primal, core.For)
        backward.operands[:3] = primal.operands[: primal.heads]
        backward.over, backward.reverse = primal.over, not primal.reverse
        self._recompute(needed, {primal.body.params[0]: backward.body.params[0]})

    def _read_tape(self, saved: list[Value], recomputed: list[Value]) -> None:
        """Over the tape in reverse."""
        tape, saved = self._find_tape(saved)
        if tape is None:
            items = [self._to_site(v) for v in saved]
            tape = self._add_tape(items, _purpose(self.backward, saved))
        body = self.backward.body
        counter = body.params[0]
        assert isinstance(tape.type, Seq)
        item = Value(tape.type.item, saved[0].name if len(saved) == 1 else None, body)
        body.params[0] = item
        del self.nest.home[counter]
        self.nest.home[item] = body
        self.backward.operands[:3] = [tape]
        self.backward.over, self.backward.reverse = "seq", True
        new = {saved[0]: item}
        if len(saved) > 1:
            parts = [Value(v.type, v.name) for v in saved]
            body.ops.insert(0, core.Unpack([item], parts, self.backward.loc, self.backward.order))
            self.nest.home.update((p, body) for p in parts)
            new = dict(zip(saved, parts, strict=True))
        self._recompute(recomputed, new)

    def _count_trips(self, needed: list[Value]) -> None:
        """Over the number of iterations that the primal loop made."""
        b, where = self._before_primal()
        start = b.const(0)
        self._place(where, [start])
        trips = self._carry(start, "trips")
        site = Block()
        inner = Builder(site, self.primal.loc, self.primal.order)
        more = inner.call(operator.add, trips.param, inner.const(1))
        self.site.ops[-1:-1] = site.ops
        self.nest.home.update((r, self.site) for op in site.ops for r in op.results)
        self._hand_on(more, trips)
        self.backward.operands[1] = trips.result
        self._recompute(needed, {})

    def _place_for(self, v: Value) -> Block | None:
        """The backward block that may recompute `v`: under the same conditions, or None."""
        home = self.nest.home[v]
        return self.backward.body if self.nest.within(self.site, home) else self.mirror.get(home)

    def _recompute(self, needed: Iterable[Value], new: dict[Value, Value]) -> None:
        """Make `needed` again in the backward body, with `new` already there."""
        heads: dict[Block, list[Op]] = {}

        def make(v: Value) -> Value:
            if v in new or not self._inside(v):
                return new.get(v, v)
            op, block = v.owner, self._place_for(v)
            assert isinstance(op, Op) and block is not None
            again = _copy(op, [make(x) for x in op.operands], self.backward.order)
            heads.setdefault(block, []).append(again)
            self.nest.home.update((r, block) for r in again.results)
            new.update(zip(op.results, again.results, strict=True))
            return new[v]

        for v in needed:
            make(v)
        body = self.backward.body
        core.substitute(body, new)
        for block, ops in heads.items():
            start = block is body and any(r in new.values() for r in body.ops[0].results)
            block.ops[start:start] = ops

    # --- the tape ---------------------------------------------------------------------------------

    def _to_site(self, v: Value) -> Value:
        """`v`, handed out of the branches inside the site if it stands in one."""
        home = self.nest.home[v]
        if self.nest.within(self.site, home):
            return v
        return self.nest.thread(v, home, self.site, self.nest.undefined(v))

    def _find_tape(self, saved: list[Value]) -> tuple[Value | None, list[Value]]:
        """A tape from an earlier differentiation that has all of `saved`, and what it has."""
        loop = self.primal
        for op in self.site.ops if self.site is loop.body else ():
            if not isinstance(op, core.Append) or op.operands[0] not in loop.carried:
                continue
            k, item = loop.carried.index(op.operands[0]), op.operands[1]
            parts = item.owner.operands if isinstance(item.owner, core.Make) else [item]
            if set(saved) <= set(parts) and loop.body.yields[k] is op.result:
                return loop.results[k], list(parts)
        return None, saved

    def _add_tape(self, items: list[Value], purpose: str) -> Value:
        item_type: Type = items[0].type
        if len(items) > 1:
            item_type = Tree(tuple, tuple(range(len(items))), tuple(v.type for v in items))
        b, where = self._before_primal()
        start = b.new_seq(item_type)
        one = items[0].name if len(items) == 1 else None
        start.name = f"saved_{one}" if one and not one.startswith("saved") else "saved"
        self._place(where, [start])
        tape = self._carry(start, start.name)
        at = Builder(Block(), self.primal.loc, self.primal.order)
        entry = items[0] if len(items) == 1 else at.tuple(*items)
        grown = at.append(tape.param, entry, purpose)
        k = _position_after(self.site, items)
        if not self.primal.stops and _ends_try(self.site, k):
            k += 1
        loc = self.site.ops[k - 1].loc if k else self.site.ops[0].loc
        for op in at.block.ops:
            op.loc = loc
        self.site.ops[k:k] = at.block.ops
        self.nest.home.update((r, self.site) for op in at.block.ops for r in op.results)
        self._hand_on(grown, tape)
        return tape.result

    def _before_primal(self) -> tuple[Builder, Block]:
        home = self.nest.around[self.primal.body][1]
        return Builder(Block(), self.primal.loc, self.primal.order), home

    def _place(self, home: Block, values: list[Value]) -> None:
        """Put the ops that define `values` right before the primal loop."""
        k = home.ops.index(self.primal)
        for v in values:
            assert isinstance(v.owner, Op)
            home.ops.insert(k, v.owner)
            self.nest.home[v] = home

    def _carry(self, start: Value, name: str | None) -> Carried:
        """Let the primal loop carry one more value (its body does not yield it yet)."""
        loop = self.primal
        loop.operands.append(start)
        blocks = [loop.body] if isinstance(loop, core.For) else [loop.cond, loop.body]
        for block in blocks:
            p = Value(start.type, name, block)
            block.params.append(p)
            self.nest.home[p] = block
        result = Value(start.type, name, loop)
        loop.results.append(result)
        self.nest.home[result] = self.nest.around[loop.body][1]
        return Carried(loop.body.params[-1], result)

    def _hand_on(self, new: Value, carried: Carried) -> None:
        """Let the primal body yield `new`, made at the site, for the next iteration."""
        out = self.nest.thread(new, self.site, self.primal.body, lambda arm: carried.param)
        yields = self.primal.body.yields
        yields.insert(len(yields) - self.primal.stops, out)


@dataclass(frozen=True, slots=True)
class Carried:
    param: Value
    result: Value


def _copy(op: Op, operands: list[Value], order: int) -> Op:
    """`op` again on other operands, with results of its own."""
    (again,) = clone_block(Block([], [op]), dict(zip(op.operands, operands, strict=True))).ops
    again.order = order
    return again


def _position_after(block: Block, values: Iterable[Value]) -> int:
    """The place in `block` right after the last definition of `values`."""
    wanted = set(values)
    last = 0
    for k, op in enumerate(block.ops):
        if any(r in wanted for r in op.results):
            last = k + 1
    return last


def _ends_try(block: Block, k: int) -> bool:
    """Whether the op at `k` is the branch that belongs to the `try` before it."""
    before, op = block.ops[k - 1], block.ops[k]
    return k > 0 and isinstance(before, core.Try) and op.operands[:1] == before.results[:1]


def _purpose(backward: core.For, saved: list[Value]) -> str:
    """What the saved values are for: the adjoints that they first flow into."""
    names: dict[str, None] = {}
    carriers = set(saved)
    for op in core.walk(backward.body):
        if isinstance(op, core.Yield) or not any(v in carriers for v in op.operands):
            continue
        hook = op.loc.stmt.hook
        if hook is not None:
            names[hook.text.removeprefix("with ").partition(" as ")[0].rstrip(":")] = None
        for r in op.results if hook is None else ():
            if r.name:
                names[r.name] = None
            else:
                carriers.add(r)
    shown = list(names)[:3]
    return "for " + ", ".join(shown) if shown else "the iterations that went on"
