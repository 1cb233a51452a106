"""The table of batching rules, filled by the files of this package, one a family.

A rule is a function `(s: Batch, op: Call) -> Rep | None`: what takes the place of the result of
`op` once some of its operands have a leading axis for the directions. None means that the rule does
not know this form of the call: the call is then made for one direction after the other (`loop.py`),
which is right for every function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from adcompile.ad.batch.layout import Layout, full
from adcompile.ir import core
from adcompile.ir.core import Value

Function = Callable[..., Any]
Rule = Callable[[Any, Any], Any]

RULES: dict[Function, Rule] = {}
SPARSE: dict[Function, Rule] = {}  # tried first where an operand is one-hot (`onehot.py`)


def batches(*fns: Function, sparse: bool = False) -> Callable[[Rule], Rule]:
    """Register the rule of these functions."""

    def register(rule: Rule) -> Rule:
        (SPARSE if sparse else RULES).update(dict.fromkeys(fns, rule))
        return rule

    return register


def rule_of(table: dict[Function, Any], fn: Function) -> Any:
    """The entry of `fn`, or None."""
    try:
        return table.get(fn)
    except TypeError:  # an unhashable callable
        return None


def find(fn: Function) -> Rule | None:
    """The rule of `fn`: its own, or that of all ufuncs and of conversions such as `np.float32`."""
    found = rule_of(RULES, fn)
    if found is not None:
        return found
    ufunc = isinstance(fn, np.ufunc) and fn.signature is None
    conversion = isinstance(fn, type) and issubclass(fn, np.number | np.bool)
    return RULES[np.add] if ufunc else RULES[np.float64] if conversion else None


# Arguments of which no element is read: a result is plain unless another argument is batched.
_LIKE = (np.zeros_like, np.ones_like, np.empty_like, np.full_like)
UNREAD: dict[Function, set[int | str]] = {
    **{fn: {0, "a", "prototype"} for fn in (np.shape, np.size, np.ndim, len, *_LIKE)},
    **{fn: {0, "x"} for fn in (np.iscomplexobj, np.isrealobj)},
}


def read(op: core.Call) -> list[Value]:
    """The operands that the results of `op` depend on."""
    unread = rule_of(UNREAD, op.fn)
    if unread is None:
        return op.operands
    names = [*range(len(op.args)), *op.keywords]
    return [v for name, v in zip(names, op.operands, strict=True) if name not in unread]


# Functions of lists say what layout their result has; of others all may depend on the direction.
LAYOUTS: dict[Function, Callable[[core.Call, Sequence[Layout]], Layout]] = {}


def layouts(op: core.Call, given: Sequence[Layout]) -> list[Layout]:
    """The layouts of the results of `op`, some of whose operands depend on the direction."""
    own = rule_of(LAYOUTS, op.fn)
    return [own(op, given)] if own is not None else [full(r.type) for r in op.results]
