"""The literals that denote a constant, on every supported Python."""

from __future__ import annotations

import math
import re


def number(value: complex) -> str:
    """An int, bool, float or complex. It may start with a minus, or be a sum or difference."""
    if isinstance(value, bool):
        return repr(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "1e999 - 1e999"  # no literal is a nan, and a name might be taken
        # By float's own repr, as a NumPy float is a float too and calls itself `np.float64(…)`.
        return float.__repr__(value).replace("inf", "1e999")
    return _complex(complex(value))


def _complex(value: complex) -> str:
    """A complex constant, exact in the signs of its zeros, which sums of literals may lose."""
    if not math.isnan(value.imag):
        real, imag = number(value.real), number(abs(value.imag)).removesuffix(".0") + "j"
        size = complex(0.0, abs(value.imag))
        forms = {
            imag: size,
            "-" + imag: -size,
            f"{real} + {imag}": value.real + size,
            f"{real} - {imag}": value.real - size,
        }
        for text, result in forms.items():
            if repr(result) == repr(value):
                return text
    return f"complex({number(value.real)}, {number(value.imag)})"


def escaped(text: str | bytes) -> str:
    """What stands between the quotes of a literal, with no quote escaped."""
    # Of a text with a double quote in it, repr chooses single quotes, and escapes these alone.
    body = repr(b'"' + text)[3:-1] if isinstance(text, bytes) else repr('"' + text)[2:-1]
    return body.replace("\\'", "'")


def quoted(value: str | bytes, quote: str = "") -> str:
    """A str or bytes literal: in double quotes, unless these would have to be escaped."""
    prefix = "b" if isinstance(value, bytes) else ""
    body = escaped(value)
    quote = quote or ("'" if '"' in body and "'" not in body else '"')
    return prefix + quote + body.replace(quote, "\\" + quote) + quote


def docstring(value: str) -> str:
    """A string in triple quotes, over as many lines as it has."""
    body = "\n".join(map(escaped, value.split("\n")))
    return '"""' + re.sub(r'"(?=""|\Z)', r"\\" + '"', body) + '"""'
