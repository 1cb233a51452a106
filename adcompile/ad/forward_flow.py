"""Forward mode through control flow: branches, loops, and the tapes that loops run over."""

from __future__ import annotations

from adcompile.ad.tangents import Sweep, Tangent, children, dotted, handles
from adcompile.ad.tapes import Tape, first_names
from adcompile.ir import core
from adcompile.ir.core import Block, Value
from adcompile.ir.steps import Steps
from adcompile.ir.types import Seq, Tree


@handles(core.If)
def _if(s: Sweep, op: core.If) -> Steps:
    moving = [r in s.active for r in op.results]
    then, orelse = Block(), Block()
    for old, new in ((op.then, then), (op.orelse, orelse)):
        yield s.inner(old, new)
        s.finish(old, new, op.results, moving)
    s.adopt(s.copy(op, then=then, orelse=orelse), op.results, moving)


@handles(core.Try)
def _try(s: Sweep, op: core.Try) -> Steps:
    moving = [r in s.active for r in op.results]
    body, handler = Block(), Block()
    for old, new in ((op.body, body), (op.handler, handler)):
        yield s.inner(old, new, old.params)
        s.finish(old, new, op.results, moving)
    s.adopt(s.copy(op, body=body, handler=handler), op.results, moving)


@handles(core.Scope)
def _scope(s: Sweep, op: core.Scope) -> Steps:
    moving = [r in s.active for r in op.results]
    body = Block()
    yield s.inner(op.body, body, op.body.params)
    s.finish(op.body, body, op.results, moving)
    s.adopt(s.copy(op, body=body), op.results, moving)


def _carried(s: Sweep, op: core.For | core.While) -> tuple[list[bool], list[Value]]:
    """Which carried values have tangents; the initial values, then the initial tangents."""
    moving = [r in s.active or p in s.active for r, p in zip(op.results, op.carried, strict=True)]
    inits = [s.new[v] for v in op.inits]
    slots = zip(op.inits, op.carried, moving, strict=True)
    dots = [dotted(s.full(s.new[v], s.dot(v), p.type), p) for v, p, moves in slots if moves]
    return moving, [*inits, *dots]


@handles(core.For)
def _for(s: Sweep, op: core.For) -> Steps:
    moving, inits = _carried(s, op)
    body, heads, over = Block(), [s.new[v] for v in op.operands[: op.heads]], op.over
    item = op.body.params[0]
    tape = s.tapes.get(op.operands[0]) if over == "seq" else None
    t_seq = s.dot(op.operands[0]) if over == "seq" else None
    if tape is not None:
        _take_item(s, tape, heads[0], item, body)
    elif isinstance(t_seq, Value):  # over the positions of both the sequence and its tangent
        over, seq = "range", heads[0]
        heads = [s.b.const(0), s.b.call(len, seq), s.b.const(1)]
        i = Value(heads[1].type, "i", body)
        body.params.append(i)
        b = s.b.into(body)
        s.new[item] = b.index(seq, ("value",), [i], item=True)
        s.new[item].name = item.name
        s.dots[s.new[item]] = dotted(b.index(t_seq, ("value",), [i]), item)
    else:
        s.new[item] = Value(item.type, item.name, body)
        body.params.append(s.new[item])
    yield s.inner(op.body, body, op.carried, moving)
    s.finish(op.body, body, op.results, moving)
    s.adopt(s.copy(op, [*heads, *inits], body=body, over=over), op.results, moving)


def _take_item(s: Sweep, tape: Tape, seq: Value, item: Value, body: Block) -> None:
    """What an item of a tape is, with its tangents."""
    assert isinstance(seq.type, Seq)
    both = Value(seq.type.item, None, body)
    body.params.append(both)
    places = s.tapes.places(tape)
    if not places:  # its tangents are all inside of inner tapes
        s.new[item], both.name = both, item.name
        return
    b = s.b.into(body)
    parts = b.unpack(both)
    names = first_names(item)
    for part, name in zip(parts, names):
        part.name = name
    dots: list[Tangent] = [None] * tape.count
    for k, part in zip(places, parts[tape.count :], strict=True):
        dots[k] = part
        part.name = f"{names[k]}_dot" if k < len(names) and names[k] else None
    if isinstance(item.type, Tree):
        s.new[item] = b.make(item.type.node, item.type.keys, parts[: tape.count])
        s.dots[s.new[item]] = children(dots)
    else:
        s.new[item] = parts[0]
        s.put(item, dots[0])


@handles(core.While)
def _while(s: Sweep, op: core.While) -> Steps:
    moving, inits = _carried(s, op)
    cond, body = Block(), Block()
    yield s.inner(op.cond, cond, op.cond.params, moving)
    s.finish(op.cond, cond, [], [])
    yield s.inner(op.body, body, op.carried, moving)
    s.finish(op.body, body, op.results, moving)
    s.adopt(s.copy(op, inits, cond=cond, body=body), op.results, moving)
