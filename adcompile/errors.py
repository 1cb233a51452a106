"""What goes wrong, said so that a user can act on it.

Every error shows where it is (file, line, function), the source with carets under the culprit, what
is wrong and, where there is one, what to write instead. All have one root, `AdcompileError`.
"""

from __future__ import annotations

import linecache
import os
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adcompile.ir.core import Loc

__all__ = [
    "AdcompileError",
    "AliasError",
    "InternalError",
    "MissingRule",
    "NotDifferentiable",
    "NumericsError",
    "SignatureError",
    "SourceUnavailable",
    "TypeMismatch",
    "UnsupportedSyntax",
]

MOST_LINES = 5  # of a span that are shown


class AdcompileError(Exception):
    """The root of all errors of adcompile.

    Attributes:
        message: what is wrong.
        loc: where in the user's program, if that is known.
        hint: what to write instead, if there is something.
    """

    def __init__(self, message: str, loc: Loc | None = None, hint: str | None = None):
        super().__init__(message, loc, hint)
        self.message = message
        self.loc = loc
        self.hint = hint
        # Read now: a doctest or notebook may have forgotten its lines when the error is shown.
        self._excerpt = _excerpt(loc) if loc is not None else []

    def __str__(self) -> str:
        lines = []
        if self.loc is not None:
            stmt = self.loc.stmt
            lines.append(f"{stmt.file}:{self.loc.line}: in function {stmt.function}")
            lines += self._excerpt
        lines.append(self.message)
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class UnsupportedSyntax(AdcompileError):
    """A construct of Python that cannot be compiled (yet)."""


class MissingRule(AdcompileError):
    """A function without a derivative rule is given an active value."""


class AliasError(AdcompileError):
    """It cannot be known whether two names share memory."""


class NotDifferentiable(AdcompileError):
    """The derivative asked for does not exist: integer `wrt`, output that is not a scalar."""


class TypeMismatch(AdcompileError):
    """Types that do not go together, or that cannot be known ahead of the call."""


class SignatureError(AdcompileError):
    """A wrong call: an unknown name in `wrt`, an unknown back end, arguments that do not fit."""


class NumericsError(AdcompileError):
    """Inside `debug(numerics=True)`: where the first NaN or infinity comes from."""


class SourceUnavailable(AdcompileError):
    """There is no source text for a function, or it is not the text that was compiled."""


class InternalError(AdcompileError):
    """A bug of adcompile itself."""

    def __str__(self) -> str:
        return (
            f"{super().__str__()}\n"
            "This is a bug of adcompile, not of your program. Please report it with this message, "
            "the function that was compiled, and the versions of adcompile, NumPy and Python."
        )


def shortened(error: AdcompileError) -> AdcompileError:
    """`error` without the frames of the compiler, which say nothing to a user.

    A bug of adcompile keeps them, and all errors do if ADCOMPILE_DEBUG is set in the environment.
    """
    if isinstance(error, InternalError) or os.environ.get("ADCOMPILE_DEBUG"):
        return error
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _excerpt(loc: Loc) -> list[str]:
    """The lines of `loc`, indented by four columns, each followed by its carets."""
    numbers = range(loc.line, max(loc.line, loc.end_line) + 1)
    texts = {n: linecache.getline(loc.stmt.file, n).rstrip() for n in numbers[:MOST_LINES]}
    if not texts[loc.line].strip():
        return [f"    {loc.stmt.text}"] if loc.stmt.text else []
    margin = min(_width(_indent(t)) for t in texts.values() if t.strip())
    shown = []
    for n, text in texts.items():
        start = loc.col if n == loc.line else len(_indent(text))
        end = loc.end_col if n == loc.end_line else len(text)
        before, span = text[:start], text[start:end].rstrip()
        shown.append("    " + text.expandtabs(4)[margin:])
        if span:
            left = _width(before) - margin
            shown.append("    " + " " * left + "^" * max(1, _width(before + span) - margin - left))
    if len(numbers) > MOST_LINES:
        shown.append(f"    ... ({len(numbers) - MOST_LINES} more lines)")
    return shown


def _indent(text: str) -> str:
    return text[: len(text) - len(text.lstrip())]


def _width(text: str) -> int:
    """How many columns a terminal needs for `text`."""
    text = text.expandtabs(4)
    if text.isascii():
        return len(text)
    return sum(_columns(c) for c in text)


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
