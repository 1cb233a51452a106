"""Taking jumps out: gast to gast, so that lowering meets structured control flow alone.

After `remove_jumps` a function has no `break` or `continue`, and its `return`s stand in tail
position only:

- The function's last statement is a `return` with a value, or an `if` both of whose arms end,
  recursively, in a `return`, a `raise` or such an `if` (`ends` says whether a body does).
- A loop that can stop early has an attribute `stop`: the name of a flag that is set to False at the
  start of its body; True at its end means that the loop is over. Other loops have `stop = None`.
- What follows a `continue`, or an `if` one arm of which always jumps, stands in the other arm.
  Where an arm only sometimes jumps, what follows stands under a test of the flag.
- `else:` of a loop follows the loop, under a test of its flag if the loop can stop early.
- Where every handler of a `try` jumps, what follows the statement stands in its `else:`. No jump
  leaves a `finally`, which is refused; it stays where it is, and runs before the flags are tested.

Each statement has one copy in the result: it grows linearly. Names made here have a "$" in them,
which nobody can type: `$stop1`, `$skip1`, `$value1`, `$returned1`. Trees are not changed but copied
where they differ; new nodes stand where the jump stands that they come from. No recursion.

After Erosa and Hendren, "Taming control flow" (1994), with flags only where arms cannot take them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import gast

from adcompile.errors import InternalError, UnsupportedSyntax
from adcompile.frontend import nodes
from adcompile.frontend.source import at, loc_of

__all__ = ["ends", "remove_jumps"]


def remove_jumps(function: Any) -> Any:
    """`function` (a gast FunctionDef, nested ones included) without jumps; a Lambda as it is."""
    if not isinstance(function, gast.FunctionDef):
        return function
    result = nodes.copied(function)
    functions = [result]
    for fn in functions:  # grows by the functions that are defined inside
        _Rewrite(fn, functions).run()
    return result


def ends(body: list[Any]) -> bool:
    """Whether `body`, rewritten, ends in `return`, `raise`, or an `if` whose arms both do."""
    arms = [body]
    while arms:
        last: Any = (arms.pop() or [None])[-1]
        if isinstance(last, gast.If | gast.Try) and last.orelse:
            arms += _arms(last)
        elif not isinstance(last, gast.Return | gast.Raise):
            return False
    return True


def _arms(stmt: Any) -> list[list[Any]]:
    """The ways through an `if` or a `try`: that of its end, and those that its handlers take."""
    if isinstance(stmt, gast.If):
        return [stmt.body, stmt.orelse]
    return [stmt.orelse, *(h.body for h in stmt.handlers)]


# --- which jumps leave a statement --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Exits:
    """`falls`: what follows can be reached. `jumps`: which jumps leave the statement."""

    falls: bool = True
    jumps: frozenset[str] = frozenset()


_SIMPLE = _Exits()
_JUMPS = {
    gast.Return: _Exits(False, frozenset({"return"})),
    gast.Break: _Exits(False, frozenset({"break"})),
    gast.Continue: _Exits(False, frozenset({"continue"})),
    gast.Raise: _Exits(False),
}
_COMPOUND = (gast.If, gast.For, gast.While, gast.With, gast.Try)


def _survey(body: list[Any]) -> dict[Any, _Exits]:
    """The exits of every statement in `body`, those of nested functions left out."""
    order = []
    stack = list(body)
    while stack:
        stmt = stack.pop()
        order.append(stmt)
        if isinstance(stmt, _COMPOUND):
            for handler in getattr(stmt, "handlers", ()):
                stack += handler.body
            stack += stmt.body
            stack += getattr(stmt, "orelse", ())
            stack += getattr(stmt, "finalbody", ())
    exits: dict[Any, _Exits] = {}
    for stmt in reversed(order):  # the inner ones first
        exits[stmt] = _exits_of(stmt, exits)
    return exits


def _exits_of(stmt: Any, exits: dict[Any, _Exits]) -> _Exits:
    if not isinstance(stmt, _COMPOUND):
        return _JUMPS.get(type(stmt), _SIMPLE)
    body = _of_body(stmt.body, exits)
    if isinstance(stmt, gast.With):
        return body
    orelse = _of_body(stmt.orelse, exits)
    if isinstance(stmt, gast.Try):
        return _exits_of_try(stmt, body, orelse, exits)
    if isinstance(stmt, gast.If):
        return _Exits(body.falls or orelse.falls, body.jumps | orelse.jumps)
    returns = body.jumps & {"return"}
    if _is_endless(stmt):
        return _Exits("break" in body.jumps, returns)
    return _Exits("break" in body.jumps or orelse.falls, returns | orelse.jumps)


def _exits_of_try(stmt: Any, body: _Exits, orelse: _Exits, exits: dict[Any, _Exits]) -> _Exits:
    handlers = [_of_body(h.body, exits) for h in stmt.handlers]
    final = _of_body(stmt.finalbody, exits)
    if final.jumps:
        raise UnsupportedSyntax(
            "a jump out of `finally` drops the exception that passes through",
            loc_of(_first_jump(stmt.finalbody, exits)),
            "jump after the `try` statement",
        )
    ways = [_Exits(body.falls and orelse.falls, body.jumps | orelse.jumps), *handlers]
    jumps = frozenset[str]().union(*(w.jumps for w in ways))
    return _Exits(final.falls and any(w.falls for w in ways), jumps)


def _first_jump(body: list[Any], exits: dict[Any, _Exits]) -> Any:
    """A statement whose jumps leave `body`."""
    return next(stmt for stmt in body if exits[stmt].jumps)


def _of_body(body: list[Any], exits: dict[Any, _Exits]) -> _Exits:
    jumps: frozenset[str] = frozenset()
    for stmt in body:
        jumps |= exits[stmt].jumps
        if not exits[stmt].falls:
            return _Exits(False, jumps)
    return _Exits(True, jumps)


def _is_endless(loop: Any) -> bool:
    test: Any = getattr(loop, "test", None)
    return isinstance(test, gast.Constant) and bool(test.value)


# --- rewriting ----------------------------------------------------------------------------------

# What is still to come: a body, how far it is done, and what comes after it.
_Rest = tuple[list[Any], int, Any] | None


class _Taken:
    """Said in place of what is still to come: somebody took it."""


_TAKEN = _Taken()


@dataclass(slots=True)
class _Loop:
    """A loop that is being rewritten: its number, and whether its skip flag is in use."""

    number: int
    body: list[Any]
    node: Any
    skips: bool = False

    @property
    def stop(self) -> str:
        return f"$stop{self.number}"

    @property
    def skip(self) -> str:
        return f"$skip{self.number}"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a statement stands. `tail`: nothing follows it in the function.

    `region` numbers the variables that take a returned value out of what is not in tail position.
    `flagged`: a test of the loop's skip flag follows, which `continue` must set.
    """

    tail: bool
    loop: _Loop | None = None
    region: int = 0
    flagged: bool = False


_TAIL = _Place(True)


@dataclass(slots=True)
class _Rewrite:
    function: Any
    functions: list[Any]  # where nested functions are put, to be rewritten later
    exits: dict[Any, _Exits] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    todo: list[tuple[_Rest, list[Any], _Place]] = field(default_factory=list)
    bodies: list[tuple[list[Any], Any]] = field(default_factory=list)  # and whose they are
    loops: list[_Loop] = field(default_factory=list)
    unended: list[list[Any]] = field(default_factory=list)  # bodies that nothing may follow

    def run(self) -> None:
        body = self.function.body
        self.exits = _survey(body)
        self.function.body = self._later((body, 0, None), _TAIL, self.function)
        while self.todo:
            self._rewrite(*self.todo.pop())
        for loop in self.loops:
            flags = [loop.skip] * loop.skips + [loop.stop] * (loop.node.stop is not None)
            for flag in flags:
                loop.body.insert(0, nodes.assign(flag, nodes.constant(False, loop.node), loop.node))
        for stmts in self.unended:
            if not ends(stmts):  # in an endless loop
                stmts.append(at(gast.Return(nodes.constant(None, stmts[-1])), stmts[-1]))
        for stmts, owner in self.bodies:
            if not stmts:
                stmts.append(at(gast.Pass(), owner))

    def _later(self, rest: _Rest, place: _Place, owner: Any) -> list[Any]:
        """The list that the rewritten `rest` will stand in."""
        out: list[Any] = []
        self.todo.append((rest, out, place))
        self.bodies.append((out, owner))
        return out

    def _rewrite(self, rest: _Rest | _Taken, out: list[Any], place: _Place) -> None:
        """Rewrite `rest` into `out`, up to a statement that takes what follows into its arms."""
        while not isinstance(rest := _skip_done(rest), _Taken):
            if rest is None:
                if place.tail:
                    where = out[-1] if out else self.function
                    out.append(at(gast.Return(nodes.constant(None, where)), where))
                return
            stmts, i, after = rest
            stmt: Any
            stmt, rest = stmts[i], (stmts, i + 1, after)
            match stmt:
                case gast.Return() | gast.Break() | gast.Continue():
                    self._jump(stmt, out, place)
                    return
                case gast.If():
                    rest = self._if(stmt, rest, out, place)
                case gast.With():
                    rest = self._with(stmt, rest, out, place)
                case gast.Try():
                    rest = self._try(stmt, rest, out, place)
                case gast.For() | gast.While():
                    rest = self._loop(stmt, rest, out, place)
                case gast.FunctionDef():
                    out.append(nodes.copied(stmt))
                    self.functions.append(out[-1])
                case _:
                    out.append(stmt)
                    if isinstance(stmt, gast.Raise):
                        return

    def _jump(self, stmt: Any, out: list[Any], place: _Place) -> None:
        forwards = getattr(stmt, "forwards", False)  # the value is where it has to be already
        returns = isinstance(stmt, gast.Return)
        if returns:
            value = stmt.value or nodes.constant(None, stmt)
            if place.tail:
                out.append(at(gast.Return(value), stmt))
                return
            if not forwards:
                out.append(nodes.assign(f"$value{place.region}", value, stmt))
                out.append(
                    nodes.assign(f"$returned{place.region}", nodes.constant(True, stmt), stmt)
                )
        if place.loop is None:
            if not returns:
                raise InternalError("a jump outside of a loop", loc_of(stmt))
        elif not isinstance(stmt, gast.Continue):
            out.append(nodes.assign(place.loop.stop, nodes.constant(True, stmt), stmt))
        elif place.flagged:
            out.append(nodes.assign(place.loop.skip, nodes.constant(True, stmt), stmt))

    # --- if and with: what follows goes into an arm, or is guarded by a flag --------------------

    def _if(self, stmt: Any, rest: _Rest, out: list[Any], place: _Place) -> _Rest | _Taken:
        exits = self.exits[stmt]
        then, orelse = _of_body(stmt.body, self.exits), _of_body(stmt.orelse, self.exits)
        if not exits.jumps:
            self._copy(stmt, out, replace(place, tail=False))
            if not exits.falls and place.tail:
                self.unended.append(out)
            return rest if exits.falls else _TAKEN
        rest = _skip_done(rest)
        if then.falls and orelse.falls and rest is not None:
            return self._flagged(stmt, rest, out, place)
        node = nodes.copied(stmt)
        out.append(node)
        after_else = rest if orelse.falls else None
        node.body = self._later((stmt.body, 0, rest if then.falls else None), place, node)
        if stmt.orelse or after_else or place.tail:
            node.orelse = self._later((stmt.orelse, 0, after_else), place, node)
        return _TAKEN

    def _with(self, stmt: Any, rest: _Rest, out: list[Any], place: _Place) -> _Rest | _Taken:
        if self.exits[stmt].jumps:
            return self._flagged(stmt, _skip_done(rest), out, place)
        self._copy(stmt, out, replace(place, tail=False))
        return rest if self.exits[stmt].falls else None

    def _try(self, stmt: Any, rest: _Rest, out: list[Any], place: _Place) -> _Rest | _Taken:
        exits = self.exits[stmt]
        if not exits.jumps:
            self._copy(stmt, out, replace(place, tail=False))
            if not exits.falls and place.tail:
                self.unended.append(out)
            return rest if exits.falls else _TAKEN
        rest = _skip_done(rest)
        if stmt.finalbody or any(_of_body(h.body, self.exits).falls for h in stmt.handlers):
            return self._flagged(stmt, rest, out, place)
        body = _of_body(stmt.body, self.exits)
        node = nodes.copied(stmt)
        node.orelse = []
        follow, inside = [*stmt.orelse], replace(place, tail=False)
        if body.jumps and place.tail:
            region = next(self.numbers)
            out.append(nodes.assign(f"$returned{region}", nodes.constant(False, stmt), stmt))
            follow.insert(0, self._forward(region, body.falls, stmt))
            inside = _Place(False, None, region)
        after: _Rest = (follow, 0, rest) if follow else rest
        if not body.falls and not place.tail:
            after = None
        guarded = bool(body.jumps) and not place.tail and after is not None
        if guarded and "continue" in body.jumps:
            inside = replace(inside, flagged=True)
        out.append(node)
        node.body = self._later((stmt.body, 0, None), inside, node)
        self._handlers(stmt, node, place)
        if guarded:
            node.orelse = [self._unless_jumped(body.jumps, after, place, stmt)]
        elif after is not None or place.tail:
            node.orelse = self._later(after, place, node)
        return _TAKEN

    def _handlers(self, stmt: Any, node: Any, place: _Place) -> None:
        node.handlers = [nodes.copied(h) for h in stmt.handlers]
        for old, new in zip(stmt.handlers, node.handlers, strict=True):
            new.body = self._later((old.body, 0, None), place, new)

    def _copy(self, stmt: Any, out: list[Any], place: _Place) -> None:
        """Rewrite an `if`, `with` or `try` whose arms take nothing of what follows."""
        node = nodes.copied(stmt)
        out.append(node)
        inside, jumps = place, frozenset[str]()
        if isinstance(stmt, gast.Try):
            self._handlers(stmt, node, place)
            if stmt.finalbody:
                node.finalbody = self._later((stmt.finalbody, 0, None), place, node)
            if stmt.orelse:
                jumps = _of_body(stmt.body, self.exits).jumps
                inside = replace(place, flagged=place.flagged or "continue" in jumps)
        node.body = self._later((stmt.body, 0, None), inside, node)
        rest: _Rest = (getattr(stmt, "orelse", []), 0, None)
        if jumps:
            node.orelse = [self._unless_jumped(jumps, rest, place, stmt)]
        elif getattr(stmt, "orelse", None):
            node.orelse = self._later(rest, place, node)

    def _flagged(self, stmt: Any, rest: _Rest, out: list[Any], place: _Place) -> _Rest | _Taken:
        """Rewrite a statement whose jumps set flags, which are tested before what follows."""
        exits = self.exits[stmt]
        if place.tail:
            region = next(self.numbers)
            out.append(nodes.assign(f"$returned{region}", nodes.constant(False, stmt), stmt))
            self._copy(stmt, out, _Place(False, None, region))
            return [self._forward(region, exits.falls, stmt)], 0, rest
        flagged = "continue" in exits.jumps and rest is not None
        self._copy(stmt, out, replace(place, flagged=place.flagged or flagged))
        if exits.falls and rest is not None:
            out.append(self._unless_jumped(exits.jumps, rest, place, stmt))
        return _TAKEN

    def _unless_jumped(self, jumps: frozenset[str], rest: _Rest, place: _Place, stmt: Any) -> Any:
        """`rest` under a test that none of `jumps` was taken."""
        test = at(gast.UnaryOp(gast.Not(), self._jumped(jumps, place, stmt)), stmt)
        guard = at(gast.If(test, [], []), stmt)
        guard.body = self._later(rest, place, guard)
        return guard

    def _jumped(self, jumps: frozenset[str], place: _Place, stmt: Any) -> Any:
        """A test of whether one of `jumps` was taken in this round of the loop."""
        if place.loop is None:
            return nodes.name(f"$returned{place.region}", stmt)
        flags = [place.loop.stop] * bool(jumps - {"continue"})
        if "continue" in jumps:
            place.loop.skips = True
            flags.append(place.loop.skip)
        tests = [nodes.name(flag, stmt) for flag in flags]
        return tests[0] if len(tests) == 1 else at(gast.BoolOp(gast.Or(), tests), stmt)

    def _forward(self, region: int, falls: bool, stmt: Any) -> Any:
        """`if $returned: return $value`, the test left out where there was a return for sure."""
        out = at(gast.Return(nodes.name(f"$value{region}", stmt)), stmt)
        out.forwards = True
        self.exits[out] = _JUMPS[gast.Return]
        if not falls:
            return out
        test = at(gast.If(nodes.name(f"$returned{region}", stmt), [out], []), stmt)
        self.exits[test] = _Exits(True, frozenset({"return"}))
        return test

    # --- loops ----------------------------------------------------------------------------------

    def _loop(self, stmt: Any, rest: _Rest, out: list[Any], place: _Place) -> _Rest | _Taken:
        jumps = _of_body(stmt.body, self.exits).jumps
        breaks, returns = "break" in jumps, "return" in jumps
        endless = _is_endless(stmt)
        number = next(self.numbers)
        region = place.region or (number if returns else 0)
        node = nodes.copied(stmt)
        loop = _Loop(number, [], node)
        node.stop = loop.stop if breaks or returns else None
        inside = _Place(False, loop, region)
        node.body = loop.body = self._later((stmt.body, 0, None), inside, node)
        node.orelse = []
        self.loops.append(loop)
        orelse = [] if endless else stmt.orelse
        falls = breaks or not endless
        if returns and falls:
            out.append(nodes.assign(f"$returned{region}", nodes.constant(False, stmt), stmt))
        if breaks and orelse:
            out.append(nodes.assign(loop.stop, nodes.constant(False, stmt), stmt))
        out.append(node)
        follow = [self._forward(region, falls, stmt)] if returns else []
        if breaks and orelse:
            follow.append(self._unless(loop.stop, orelse))
        else:
            follow += orelse
        rest = _skip_done(rest) if falls else None
        if place.tail or place.loop or rest or orelse:  # otherwise there is nothing to skip
            return follow, 0, rest
        return rest

    def _unless(self, flag: str, body: list[Any]) -> Any:
        """`if not flag: body`, to be rewritten in its turn."""
        test = at(gast.UnaryOp(gast.Not(), nodes.name(flag, body[0])), body[0])
        guard = at(gast.If(test, body, []), body[0])
        self.exits[guard] = _Exits(True, _of_body(body, self.exits).jumps)
        return guard


def _skip_done(rest: Any) -> Any:
    """What is still to come, the bodies that are done with left out."""
    while isinstance(rest, tuple) and rest[1] == len(rest[0]):
        rest = rest[2]
    return rest
