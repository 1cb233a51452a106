"""Where a NaN or an infinity comes from, in a program that the interpreter runs.

A `Watch` looks at the result of each op. Beside a value that is not finite it keeps an array of the
same shape that says, for each element, which op is to blame: the one whose result was the first to
be NaN (or infinite) out of operands that were not. Blame is handed on with the elements. What only
moves elements (an index, a write, `np.where`) moves the blame in the same way; elementwise
functions take the earlier one at each place; any other function takes the earliest of all.

An error is raised where blame gets out: in a result, in what is written over a parameter, in a
decision of the program or an integer, in an exception. So what `np.where` masks, or what becomes
finite again (`1 / inf`), is no error, and what is reported is nevertheless the op that came first.

The blame of values is in the manner of origin tracking in Valgrind's Memcheck and in "Tracking bad
apples" (Bond et al., 2007).
"""

from __future__ import annotations

import linecache
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from adcompile.classes import keys_of
from adcompile.codegen.load import add_note
from adcompile.codegen.nodes import COMPARE
from adcompile.errors import AdcompileError, NumericsError
from adcompile.ir import core
from adcompile.ir.core import Loc, Op, Value
from adcompile.ir.interpreter import Env, Leaf
from adcompile.ir.printer import constant_text, operation_text
from adcompile.ir.types import Array
from adcompile.rules.registry import lookup
from adcompile.signature import child

NOBODY = np.iinfo(np.intp).max  # is to blame

_UNSET = (np.empty, np.empty_like)  # whatever is in there, no op has computed it


@dataclass(eq=False, slots=True)
class Watch:
    """Looks at all that is computed in a call; `sweep` says which sweep an op is in, and where."""

    sweep: Callable[[Op], tuple[str, Loc | None]]
    errors: list[NumericsError] = field(default_factory=list)  # one for each op that may be blamed
    # By the id of a value, which is held as long as it lives elsewhere: positions in `errors`.
    _blames: dict[int, tuple[Any, np.ndarray]] = field(default_factory=dict)

    def __call__(self, leaf: Leaf, op: Op, values: list[Any], env: Env) -> Sequence[Any]:
        """Run one op."""
        if isinstance(op, core.Write):
            self.let_out(values)
        try:
            results = leaf(op, values)
        except AdcompileError:
            raise
        except Exception as error:
            self.let_out(values, error)
            add_note(error, op.loc)
            raise
        if isinstance(op, core.Call | core.Index | core.Update):
            self._look(leaf, op, values, results, env)
        return results

    def let_out(self, values: Any, cause: Exception | None = None) -> None:
        """Raise if anything in `values` is somebody's fault."""
        found = min((self._blame(x).min(initial=NOBODY) for x in numbers(values)), default=NOBODY)
        if found != NOBODY:
            raise self.errors[found] from cause

    def _look(
        self, leaf: Leaf, op: Op, values: list[Any], results: Sequence[Any], env: Env
    ) -> None:
        found = [
            r for r in numbers(results) if not np.isfinite(r).all() and id(r) not in self._blames
        ]
        if not found and _decides(op):
            self.let_out(values)
        given = {id(x) for x in numbers(values)} if found else ()
        for r in found:
            if id(r) not in given and not (isinstance(op, core.Call) and op.fn in _UNSET):
                self._trace(leaf, op, values, r, env)

    def _trace(self, leaf: Leaf, op: Op, values: list[Any], r: Any, env: Env) -> None:
        """Find out who is to blame for `r`, one of the results of `op`."""
        blame = _through(leaf, op, values, [self._blame(v) for v in values], np.minimum, NOBODY)
        before = _through(leaf, op, values, [_badness(v) for v in values], np.maximum, 0)
        after = _badness(r)
        new = (after > before) & (blame == NOBODY)
        if new.any():
            kind = " and ".join(k for n, k in ((2, "NaN"), (1, "infinity")) if n in after[new])
            blame = np.where(new, len(self.errors), blame)
            self.errors.append(self._error(kind, op, values, r, env))
        blame = np.where(after > 0, blame, NOBODY)
        if (blame != NOBODY).any():
            key, blames = id(r), self._blames
            held = weakref.ref(r, lambda _: blames.pop(key, None)) if type(r) is np.ndarray else r
            blames[key] = held, blame

    def _blame(self, value: Any) -> np.ndarray:
        """For each element of a number or array, else for all that is in a container."""
        if id(value) in self._blames:
            return self._blames[id(value)][1]
        if isinstance(value, tuple | list | dict):
            inner = (self._blame(x).min(initial=NOBODY) for x in numbers(value))
            return np.array(min(inner, default=NOBODY))
        return np.array(NOBODY)

    def _error(self, kind: str, op: Op, values: list[Any], r: Any, env: Env) -> NumericsError:
        sweep, loc = self.sweep(op)
        what = f"`{_operation(op)}` makes the first {kind}, in {sweep}{_iteration(env)}"
        name = op.results[0].name if len(op.results) == 1 else None
        made = f"result, `{name}`" if name else "result"
        lines = [what, *_operands(op, values), f"{made}: {described(r)}"]
        return NumericsError("\n    ".join(lines), loc)


def numbers(value: Any) -> Iterator[Any]:
    """The floats, complex numbers and arrays of these in `value`."""
    work, seen = [value], set()
    while work:
        x = work.pop()
        if is_number(x):
            yield x
        elif not isinstance(x, np.ndarray | np.generic | int | str | type(None)):
            keys = keys_of(x)
            if keys and id(x) not in seen:
                seen.add(id(x))
                work += [child(x, key) for key in reversed(keys)]


def is_number(x: Any) -> bool:
    if isinstance(x, np.ndarray | np.generic):
        return x.dtype.kind in "fc"
    return isinstance(x, float | complex)


# --- what ops do with marks of elements ---------------------------------------------------------


def _badness(x: Any) -> np.ndarray:
    """0 for each finite element, 1 for an infinite one, 2 for NaN; of a container the worst."""
    if is_number(x):
        return np.where(np.isnan(x), 2, np.isinf(x).astype(int))
    if isinstance(x, tuple | list | dict):
        return np.array(max((_badness(v).max(initial=0) for v in numbers(x)), default=0))
    return np.array(0)


def _through(
    leaf: Leaf, op: Op, values: list[Any], marks: list[np.ndarray], join: np.ufunc, nothing: int
) -> np.ndarray:
    """The marks of the elements of a result by those of the operands."""
    moved = _moved(op, values)
    if moved:
        whole = [
            np.broadcast_to(m, np.shape(v)) if k in moved else v
            for k, (m, v) in enumerate(zip(marks, values, strict=True))
        ]
        return np.asarray(leaf(op, whole)[0])
    if _is_elementwise(op):
        return np.asarray(reduce(join, marks))
    return np.array(
        join.reduce([join.reduce(m, axis=None, initial=nothing) for m in marks], initial=nothing)
    )


def _moved(op: Op, values: list[Any]) -> tuple[int, ...]:
    """Which operands `op` takes elements from, if it does nothing else."""
    if isinstance(op, core.Index):
        return (0,)
    if isinstance(op, core.Update) and op.mode == "=":
        return (0, 1)
    if isinstance(op, core.Call) and op.fn is np.where and len(values) == 3:
        return (1, 2)
    return ()


def _is_elementwise(op: Op) -> bool:
    if not isinstance(op, core.Call):
        return False
    rules = lookup(op.fn)
    fn = op.fn if rules is None else rules.fn
    return isinstance(fn, np.ufunc) and fn.signature is None


def _decides(op: Op) -> bool:
    """Whether the program itself compares two numbers, or makes integers of what it has."""
    if op.order or not isinstance(op, core.Call):
        return False
    t = op.results[0].type if op.results else None
    if op.fn is np.astype:
        return isinstance(t, Array) and t.dtype.kind in "iu"
    return op.fn in COMPARE and not getattr(t, "shape", ())


# --- words --------------------------------------------------------------------------------------


def _operation(op: Op) -> str:
    match op:
        case core.Call():
            return operation_text(op)
        case core.Update(mode="=" | "add.at"):
            return "=" if op.mode == "=" else "+="
        case core.Update():
            return f"{op.mode}="
    return "[]"


def _iteration(env: Env) -> str:
    """The iterations of the loops around, the outermost first."""
    parts = []
    for loop, k in env.trips.items():
        ranges = isinstance(loop, core.For) and loop.over == "range"
        counters = loop.blocks[0].params[:1] if ranges else []
        named = [f"{c.name} = {env[c]}" for c in counters if c.name not in (None, "_")]
        parts += named or [f"{k} (from 0)"]
    return f", in iteration {', '.join(parts)}" if parts else ""


def _operands(op: Op, values: list[Any]) -> Iterator[str]:
    """What they are called, and what they are."""
    plain = len(op.args) if isinstance(op, core.Call) else len(values)
    for k, (v, x) in enumerate(zip(op.operands, values, strict=True)):
        if not isinstance(v.owner, core.Const) or v.name is not None:
            yield f"{_name(v) or f'operand {k + 1}'}: {described(x)}"
        elif k < plain and type(x) in (int, float, complex):
            yield f"`{constant_text(x)}`"


def _name(v: Value) -> str:
    """The user's name for a value, or the text of the expression that it is."""
    name = v.name
    if name is None and isinstance(v.owner, Op) and _is_written(v.owner):
        loc = v.owner.loc
        if loc.line == loc.end_line:
            name = linecache.getline(loc.stmt.file, loc.line)[loc.col : loc.end_col].strip()
    return f"`{name}`" if name else ""


def _is_written(op: Op) -> bool:
    """Whether `op` is what stands at its place in the user's program."""
    return op.order == 0 or core.is_quoted(op)


def described(x: Any) -> str:
    """The dtype, shape and range of a value, and what of it is not finite."""
    if isinstance(x, tuple | list | dict):
        return f"{type(x).__name__} of {len(x)}"
    if isinstance(x, bool | int | float | complex) and not isinstance(x, np.generic):
        return f"{type(x).__name__}, {_short(x)}"
    if not isinstance(x, np.ndarray | np.generic) or x.dtype.kind not in "biufc":
        return type(x).__name__
    if not x.ndim:
        return f"{x.dtype.name}, {_short(x.item())}"
    x = np.asarray(x)
    parts, finite = [f"{x.dtype.name} of shape {x.shape}"], np.isfinite(x)
    if x.dtype.kind in "iuf" and finite.any():
        parts.append(" … ".join(_short(f(x[finite]).item()) for f in (np.min, np.max)))
    counts = {"NaN": np.count_nonzero(np.isnan(x)), "inf": np.count_nonzero(np.isinf(x))}
    if any(counts.values()):
        parts.append(" and ".join(f"{n} {kind}" for kind, n in counts.items() if n))
        at = ", ".join(map(str, np.argwhere(~finite)[0]))
        parts[-1] += f" at [{at}]" if sum(counts.values()) == 1 else f", the first at [{at}]"
    return ", ".join(parts)


def _short(x: Any) -> str:
    return f"{x:.6g}" if isinstance(x, float | complex) else str(x)
