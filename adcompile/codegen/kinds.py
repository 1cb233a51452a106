"""Kinds of ops that are treated alike.

They are tuples and sets, not unions: the ops of a function are asked for their kind again and
again, and `isinstance` with a union takes twice as long.
"""

from __future__ import annotations

from typing import get_args

from adcompile.ir import core
from adcompile.ir.identities import Alias

Writer = (core.Update, core.Append, core.Pop)
Loop = (core.For, core.While)

# What has an effect (as some calls have).
ACTING = (core.Assert, core.Raise, core.Write, core.Invoke)

# Control flow, writes and names, by which a buffer goes from one value to the next (exact classes).
HANDING_ON = frozenset([*Writer, core.Write, Alias, *get_args(core.Structured)])
