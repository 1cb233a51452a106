"""A function of one argument for all unit vectors at once, and one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adcompile import pipeline
from adcompile.ad.batch import jacobian_blocks
from adcompile.ir.core import Function, Param, Value
from adcompile.ir.verifier import verify
from tests.ad.batch.harness import leaves, replaced, types_of


def batched(program: Callable[..., Any], d: Any) -> Function:
    """(like) → what `program` makes of each of the unit vectors in the shape of `like`."""
    fn = pipeline.build(program, types_of([d]), {})
    fn.name = "program"
    for p in pipeline.AGAIN:
        p.run(fn)
    for op in fn.block.ops:
        op.order = 1
    like = Value(fn.block.params[0].type, "like", fn.block)
    fn.block.params.append(like)
    fn.params.append(Param("like"))
    jacobian_blocks(fn, [(fn.block.params[0], like)], fn.returns, forward=True)
    verify(fn)
    return fn


def one_by_one(program: Callable[..., Any], d: Any) -> Any:
    """The same by a call for each unit vector."""
    found = []
    for k in range(np.size(d)):
        e = np.zeros(np.size(d))
        e[k] = 1.0
        found.append(
            program(e.reshape(np.shape(d)).astype(np.asarray(d).dtype) if np.ndim(d) else 1.0)
        )
    parts = list(zip(*[leaves(y) for y in found]))
    blocks = [np.stack([np.asarray(p) for p in part], axis=-1) for part in parts]
    shaped = [b.reshape((*b.shape[:-1], *np.shape(d))) for b in blocks]
    return replaced([found[0]], shaped)[0]
