"""Ops that hand a value on as it is.

They differ in what becomes of its cotangent, or in what the value is called. None is left on a path
that becomes a text, but for an `Alias` that is shown.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from adcompile.ir.core import Function, Op


@dataclass(eq=False, slots=True)
class Alias(Op):
    """operands: [x]; the result is x.

    One that is `shown` gives x a further name: `g = d_h`. Others are gone before anything is saved
    for a backward sweep (`passes/served.py`).
    """

    shown: bool = False


@dataclass(eq=False, slots=True)
class Hook(Op):
    """`with gradient_of(x) as g: body`: operands are [x, *what the body reads]; the result is x.

    The body takes [the cotangent of the result, *what it reads], which its first op, an `Alias`,
    calls g, and returns what g is in the end. It is no part of the program but of the backward
    sweep: reverse mode lays it down where the cotangent of the result is complete, and leaves an
    `Alias` (`ad/hooks.py`). The body reads nothing but its parameters, so no pass has to look into
    it, and copies of the op share it.
    """

    body: Function = field(kw_only=True)
