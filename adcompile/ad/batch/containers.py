"""Trees, lists of unknown length and tapes, in a batch: they hold what they held, batched."""

from __future__ import annotations

from adcompile.ad.batch import single, sparse
from adcompile.ad.batch.indexing import array_index, array_update
from adcompile.ad.batch.layout import Items, batched_type, item_of
from adcompile.ad.batch.values import child, pack, wrapped
from adcompile.ad.batch.walk import Batch, handles
from adcompile.errors import MissingRule
from adcompile.ir import core
from adcompile.ir.identities import Alias, Hook
from adcompile.ir.infer import values
from adcompile.ir.types import Seq, Tree


@handles(core.Make)
def _make(s: Batch, op: core.Make) -> None:
    s.put(op.result, tuple([s.get(v) for v in op.operands]))


@handles(core.Item)
def _item(s: Batch, op: core.Item) -> None:
    (tree,) = op.operands
    assert isinstance(tree.type, Tree)
    s.put(op.result, child(s, s.get(tree), tree.type, op.key))


@handles(core.Unpack)
def _unpack(s: Batch, op: core.Unpack) -> None:
    (tree,) = op.operands
    rep = s.get(tree)
    if isinstance(rep, tuple):
        for r, inner in zip(op.results, rep, strict=True):
            s.put(r, inner)
    else:
        s.plain(op, core.Unpack, [s.pack(tree, s.spread.of(tree))], lost=op.lost)


@handles(Alias)
def _alias(s: Batch, op: Alias) -> None:
    (x,) = op.operands
    s.plain(op, Alias, [s.pack(x, s.spread.of(x))], shown=op.shown)


@handles(Hook)
def _hook(s: Batch, op: Hook) -> None:
    """It concerns a backward sweep, and what depends on the direction is none's any more."""
    s.put(op.result, s.get(op.operands[0]))


@handles(core.Partial)
def _partial(s: Batch, op: core.Partial) -> None:
    raise MissingRule("a pullback that depends on the direction of a Jacobian", op.loc)


@handles(core.NewSeq)
def _new_seq(s: Batch, op: core.NewSeq) -> None:
    layout, t = s.spread.of(op.result), op.result.type
    assert isinstance(t, Seq)
    items = [s.pack(v, item_of(layout), t.item) for v in op.operands]
    new = s.b.new_seq(batched_type(t.item, item_of(layout), s.size), items)
    s.put(op.result, wrapped(new, layout))


@handles(core.Append)
def _append(s: Batch, op: core.Append) -> None:
    layout, t = s.spread.of(op.result), op.result.type
    assert isinstance(t, Seq)
    seq, item = op.operands
    parts = [s.pack(seq, layout, t), s.pack(item, item_of(layout), t.item)]
    s.plain(op, core.Append, parts, purpose=op.purpose)


@handles(core.Pop)
def _pop(s: Batch, op: core.Pop) -> None:
    (seq,) = op.operands
    s.plain(op, core.Pop, [s.pack(seq, s.spread.of(seq))])


@handles(core.Index)
def _index(s: Batch, op: core.Index) -> None:
    x, *at = op.operands
    if any(map(s.is_batched, at)):
        single.run(s, op)
    elif isinstance(x.type, Seq):
        operands = [s.pack(x, s.spread.of(x)), *[s.pack(v, False) for v in at]]
        s.plain(op, core.Index, operands, spec=op.spec, item=op.item)
    elif (found := sparse.index(s, op)) is not None:
        s.put(op.result, found)
    else:
        array_index(s, op)


@handles(core.Update)
def _update(s: Batch, op: core.Update) -> None:
    x, v, *at = op.operands
    if any(map(s.is_batched, at)):
        single.run(s, op)
    elif isinstance(x.type, Seq):
        layout = s.spread.of(op.result)
        assert isinstance(layout, Items)
        item = pack(s, s.get(v), x.type.item, layout.item)
        if op.mode != "=":
            item = s.aligned(v, values.as_array(x.type.item).rank)
        operands = [s.pack(x, layout), item, *[s.pack(i, False) for i in at]]
        s.plain(op, core.Update, operands, spec=op.spec, mode=op.mode, taken=op.taken)
    elif (found := sparse.update(s, op)) is not None:
        s.put(op.result, found)
    else:
        array_update(s, op)
