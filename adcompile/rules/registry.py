"""How each function differentiates: the registry, and the four words that fill it.

    elementwise(np.tanh, lambda y, x: 1 - y * y)  # partials; the result comes first

    @linear(np.swapaxes)                          # linear in an argument: how a cotangent goes back
    def _(d_y, a, axis1, axis2):
        return np.swapaxes(d_y, axis1, axis2)

    @tangent(np.linalg.inv)                       # how a tangent goes forward, linear in d_a
    def _(d_a, y, a):
        return -y @ d_a @ y

    @adjoint(np.linalg.cholesky)                  # where the reverse form is better than the
    def _(d_y, y, a): ...                         # transposed tangent

A body is plain Python in the compiler's own language, without writes. It takes the cotangent or
tangent, then the result `y` (not for `linear`), then the call's own arguments as the caller wrote
them: its parameters are named like the function's, so that keywords find their place, and a form
of the call that the parameters cannot take has no rule. Branches on rank, dtype, None and constants
are decided at compile time; a body that returns `NotImplemented` on one of them has no rule there.

What a body may leave to the compiler: a partial or cotangent may have any shape that broadcasts to
the argument's, and a cotangent any shape that the argument broadcasts to; dtypes (`narrow`); None
is zero, and NotImplemented a partial that is not known. The cotangent of an argument that is a list
or tuple is a list of cotangents. For a function with several results, y and d_y are tuples; entries
of d_y that are zero are None, but for linear rules, which get zeros.

A cotangent may be *pending*: one number that stands for an array full of it. Bodies get it filled
out unless `shape=` says that they can do without:

- "rearranges": the result has just the elements of the argument, each once (reshape, flip, stack):
  the number is the argument's cotangent as well, and the body is not asked;
- "reduces": the body takes a number for `d_y` (sum, mean);
- "broadcasts": the body works element by element on `d_y` in whatever shape it has, and the
  argument was broadcast to the result (where, broadcast_to).

The conventions at kinks: where there is a choice, the derivative is the even average of the
one-sided ones (abs at 0, maximum and minimum of arrays at ties), and max and min of an axis share
ties evenly; other choices are noted at their rules.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from types import FunctionType
from typing import Any

import numpy as np

from adcompile.ir.infer import is_known, table
from adcompile.ir.infer.elementwise import by_samples
from adcompile.rules import given

Function = Callable[..., Any]
Body = Callable[..., Any]

SHAPES = ("", "rearranges", "reduces", "broadcasts")
WORDS = ("elementwise", "linear", "tangent", "adjoint", "zero")
LEAD = {"elementwise": 1, "linear": 1, "tangent": 2, "adjoint": 2}  # parameters before the call's


@dataclass(eq=False, slots=True)
class Rules:
    """What is known of one function. The dictionaries are keyed by the argument's position."""

    fn: Function
    partials: Body | None = None
    linear: dict[int, Body] = field(default_factory=dict)
    joint: tuple[int, ...] = ()  # the arguments that it is linear in together, not one by one
    tangent: dict[int, Body] = field(default_factory=dict)
    adjoint: dict[int, Body] = field(default_factory=dict)
    zero: bool = False
    shape: str = ""  # one of SHAPES: what becomes of a cotangent that is one number

    @property
    def bodies(self) -> list[tuple[str, int | None, Any]]:
        """(word, argument, body) of everything registered."""
        rows: list[tuple[str, int | None, Any]] = []
        if self.partials is not None:
            rows.append(("elementwise", None, self.partials))
        for word in ("linear", "tangent", "adjoint"):
            rows.extend((word, arg, body) for arg, body in getattr(self, word).items())
        return rows

    def position(self, keyword: str) -> int | None:
        """Where the argument that is passed as `keyword=` stands."""
        for word, _, body in self.bodies:
            names = parameters(word, body)
            if keyword in names:
                return names.index(keyword)
        return None


def parameters(word: str, body: Body | Part) -> list[str]:
    """The names of a body's parameters that are the function's own."""
    body = body.body if isinstance(body, Part) else body
    return list(inspect.signature(body).parameters)[LEAD[word] :]


_rules: dict[Function, Rules] = {}
COMPILE_TIME: set[Function] = set()
ALIASES: dict[Function, Function] = {}  # each function to the one whose rule it shares


def _entry(fn: Function) -> Rules:
    """What is known of `fn`, to be added to; the library's own rules come before all others."""
    if not _loading:
        _load()
    if not callable(fn):
        raise TypeError(f"{fn!r} is no function: a rule cannot be given for it")
    try:
        hash(fn)
    except TypeError:
        raise TypeError(
            f"{fn!r} cannot be hashed, so that no rule can be kept for it: wrap it in a function"
        ) from None
    if fn in ALIASES:
        raise ValueError(f"{name_of(fn)} is an alias of {name_of(ALIASES[fn])}")
    if not _loading:
        given.refuse_taken_apart(fn)
        _compile_anew()
    return _rules.setdefault(fn, Rules(fn))


def _compile_anew() -> None:
    """What has been compiled may have done without the rule that is being given."""
    from adcompile.derivative import forget_compiled

    forget_compiled()


def _check_names(fn: Function, word: str, body: Body) -> None:
    if not _loading:
        given.check_names(fn, body, LEAD[word])


def _by_argument(fn: Function, word: str, args: Iterable[int]) -> Rules:
    """The entry of a function that is described argument by argument, without what said otherwise.

    An argument is linear, or it has a tangent and perhaps an adjoint.
    """
    entry = _entry(fn)
    args = set(args)
    if not _loading:
        given.check_positions(fn, args)
    entry.partials, entry.zero = None, False
    if word == "linear":
        other_words = [entry.tangent, entry.adjoint]
    else:
        other_words = [entry.linear]
        args.update(entry.joint if args.intersection(entry.joint) else ())
    for bodies in other_words:
        for arg in args:
            bodies.pop(arg, None)
    entry.joint = () if args.intersection(entry.joint) else entry.joint
    return entry


def _each(arg: int | range | tuple[int, ...]) -> Iterable[int]:
    return (arg,) if isinstance(arg, int) else arg


def elementwise(fn: Function, partials: Body | None = None) -> Any:
    """Partial derivatives, `partials(y, *args)`: one, or a tuple with one for each argument.

    None stands for an argument without derivative. Without `partials`, a decorator.
    """
    if partials is None:
        return lambda body: elementwise(fn, body)
    _entry(fn)
    _check_names(fn, "elementwise", partials)
    _rules[fn] = Rules(fn, partials)
    _note_elementwise(fn)
    return partials


def linear(
    fn: Function, arg: int | range | tuple[int, ...] = 0, *, shape: str = ""
) -> Callable[[Body], Body]:
    """`fn` is linear in this argument; the body takes a cotangent back to it: `body(d_y, *args)`.

    Forward mode applies `fn` itself to the tangent in place of the argument. With a range of
    arguments (of a function that takes any number) the body is told which one first. With a tuple,
    `fn` is linear in these arguments together, but not in one while others stay (`np.where`): the
    body gives a tuple with a cotangent for each, and forward mode has zeros for those that stay.
    """
    entry = _by_argument(fn, "linear", _each(arg))
    _note_shape(entry, shape)
    if isinstance(arg, tuple):
        entry.joint = arg
        return lambda body: _put_each(entry.linear, arg, body)
    return lambda body: _put(entry, "linear", arg, body)


def tangent(fn: Function, arg: int | range = 0) -> Callable[[Body], Body]:
    """What a tangent of this argument adds to the result's: `body(d_x, y, *args)`."""
    entry = _by_argument(fn, "tangent", _each(arg))
    return lambda body: _put(entry, "tangent", arg, body)


def adjoint(fn: Function, arg: int | range = 0, *, shape: str = "") -> Callable[[Body], Body]:
    """What this argument's cotangent gets from the result's: `body(d_y, y, *args)`.

    Where it returns NotImplemented, the tangent rule is transposed instead.
    """
    entry = _by_argument(fn, "adjoint", _each(arg))
    _note_shape(entry, shape)
    return lambda body: _put(entry, "adjoint", arg, body)


def zero(*fns: Function, arg: int | None = None) -> None:
    """The derivative is zero wherever it exists: everywhere, or in one argument."""
    for fn in fns:
        _entry(fn)
        if arg is None:
            _rules[fn] = Rules(fn, zero=True)
        else:
            entry = _by_argument(fn, "tangent", _each(arg))
            entry.tangent[arg] = entry.adjoint[arg] = _nothing


def returns(fn: Function, stand_in: Body | None = None) -> Any:
    """What `fn` returns, for the compiler, which has to know the type of every value.

    `stand_in` is a Python function of the same arguments that returns the like of what `fn` does:
    numbers, or arrays of that dtype and shape. It is compiled for its types, and never run.
    Without it, a decorator. There is no need to say it of what works element by element, nor of a
    Python function with source.
    """
    if not callable(fn):
        raise TypeError(f"{fn!r} is no function: there is nothing that it returns")
    if stand_in is None:
        return lambda body: returns(fn, body)
    table.ENTRIES[fn] = partial(_type_of, stand_in)
    if not _loading:
        _compile_anew()
    return stand_in


def _type_of(stand_in: Body, fn: Function, args: list[Any], kwargs: dict[str, Any]) -> Any:
    from adcompile.rules.apply import result_type  # which lowers

    return result_type(stand_in, args, kwargs)


def _note_elementwise(fn: Function) -> None:
    """The results of an elementwise function are known: those of a run on samples, broadcast."""
    if not isinstance(fn, FunctionType) and not is_known(fn):
        table.ENTRIES[fn] = by_samples


def alias(rule_of: Function, *fns: Function) -> None:
    """These functions share the rule of `rule_of`: they take the same arguments."""
    for fn in fns:
        if not _loading and lookup(fn) is not None:
            raise ValueError(f"{name_of(fn)} has a rule already")
    ALIASES.update(dict.fromkeys(fns, rule_of))
    if not _loading:
        _compile_anew()


def at_compile_time(fn: Function) -> Function:
    """For bodies: a function of numbers and strings that the compiler computes with."""
    COMPILE_TIME.add(fn)
    return fn


def _note_shape(entry: Rules, shape: str) -> None:
    if shape not in SHAPES:
        raise ValueError(f"shape is one of {SHAPES}, not {shape!r}")
    entry.shape = shape or entry.shape


def _put(entry: Rules, word: str, arg: int | range, body: Body) -> Body:
    table: dict[int, Body] = getattr(entry, word)
    if isinstance(arg, range):
        table.update((k, partial(body, k)) for k in arg)
    else:
        _check_names(entry.fn, word, body)
        table[arg] = body
    return body


@dataclass(frozen=True, slots=True)
class Part:
    """One of the items of the tuple that a body gives."""

    body: Body
    index: int


def _put_each(table: dict[int, Any], args: tuple[int, ...], body: Body) -> Body:
    table.update((arg, Part(body, k)) for k, arg in enumerate(args))
    return body


def _nothing(d: Any, y: Any, *args: Any, **kwargs: Any) -> None:
    return None


# --- looking up ---------------------------------------------------------------------------------

# Rule files; those of SciPy are read once a program has imported it.
_FILES = ("ufuncs", "reductions", "shapes", "joins", "indexing", "contractions", "linalg")
_FILES += ("creation", "identities")
_GUESTS = {"scipy_special": "scipy.special"}
_loaded: set[str] = set()
_loading = False


def _load() -> bool:
    """Read the rule files that are wanted now; whether there were new ones."""
    global _loading
    wanted = [*_FILES, *(name for name, module in _GUESTS.items() if module in sys.modules)]
    new = [name for name in wanted if name not in _loaded]
    _loading, before = True, _loading
    for name in new:
        importlib.import_module(f"adcompile.rules.{name}")
        _loaded.add(name)
    _loading = before
    return bool(new)


def lookup(fn: Function) -> Rules | None:
    """The rules of `fn`, or None if nothing is known of it."""
    try:
        rules = _rules.get(ALIASES.get(fn, fn))
    except TypeError:  # an unhashable callable
        return None
    return lookup(fn) if rules is None and _load() else rules


def all_rules() -> Iterable[Rules]:
    """Everything registered, in the order of the files."""
    _load()
    return list(_rules.values())


def name_of(fn: Function) -> str:
    """How users write `fn`: `np.linalg.inv`, `math.exp`."""
    name = getattr(fn, "__qualname__", None) or fn.__name__
    special = sys.modules.get("scipy.special")
    ours = getattr(special, name, None) is fn and getattr(np, name, None) is not fn
    module = "scipy.special" if ours else getattr(fn, "__module__", None) or "numpy"
    if module == "builtins":
        return name
    if getattr(sys.modules.get("adcompile"), name, None) is fn:
        return f"adcompile.{name}"
    parts = module.split(".")
    public = [p for k, p in enumerate(parts) if k == 0 or not p.startswith("_")]
    first = "np" if public[0] == "numpy" else public[0].strip("_")
    return ".".join([first, *public[1:], name])


_OWN = "adcompile.runtime."  # what generated code calls


def coverage() -> list[tuple[str, str, str]]:
    """(function, word, note) of every function with a rule, sorted: the documentation's table."""
    rows = []
    for rules in all_rules():
        if name_of(rules.fn).startswith(_OWN):
            continue
        words = list(dict.fromkeys(word for word, _, body in rules.bodies if body is not _nothing))
        words = ["zero"] if rules.zero else words
        also = sorted(name_of(fn) for fn, main in ALIASES.items() if main is rules.fn)
        note = f"also {', '.join(also)}" if also else ""
        rows.append((name_of(rules.fn), ", ".join(words), note))
    return sorted(rows)
