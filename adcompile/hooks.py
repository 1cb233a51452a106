"""What a program may say about its own gradient: `gradient_of` and `clip_gradient`.

Both concern the backward sweep alone. Where the program is run as it is written, they change
nothing: `clip_gradient` hands on its argument, and the block of a `with gradient_of(x) as g:` runs
on zeros, once, where it stands.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["clip_gradient", "gradient_of"]


class gradient_of:
    """Look at, or change, the gradient of the result with respect to a variable.

        h = np.tanh(W @ h)
        with gradient_of(h) as g:
            print(i, np.linalg.norm(g))
            g = np.clip(g, -1.0, 1.0)

    The block is compiled into the backward sweep, as it is written: it runs there each time that
    the sweep comes past, with `g` the gradient with respect to `h` of all that follows, in the
    shape and dtype of `h`. If the block assigns `g` or writes into it, that is the gradient of `h`
    from there on; what stands before the `with` gets its gradients from it.

    In the program itself (called without a derivative) the block runs where it stands, on zeros.

    Args:
        x: the name of a variable that holds a float or an array of floats.

    Raises:
        UnsupportedSyntax: when the function is compiled, for anything else than such a name, and
            for a block that assigns what belongs to the rest of the function.
        NotDifferentiable: when the function is compiled, where the result does not depend on `x`.
        TypeError: where the program itself is run, if `x` is no float and no array of floats.
    """

    def __init__(self, x: Any):
        floats = x if isinstance(x, np.ndarray | np.generic) else np.asarray(x)
        if floats.dtype.kind != "f":
            raise TypeError(f"gradient_of takes a float or an array of floats, not {x!r}")
        self._x = x

    def __enter__(self) -> Any:
        if isinstance(self._x, np.ndarray):
            return np.zeros_like(self._x)
        return type(self._x)(0.0)

    def __exit__(self, *error: object) -> None:
        return None


def clip_gradient(x: Any, lo: Any = None, hi: Any = None) -> Any:
    """Return `x` itself; in reverse mode its gradient is clipped to between `lo` and `hi`.

    Clipping is done element by element, where the gradient with respect to the result is complete.
    It is defined on gradients: in forward mode a tangent passes as it is, and the two modes differ.

    Args:
        x: a float, an array, or a tuple, list, dict or object of such, whose leaves are clipped.
        lo: the least value, a number or an array that broadcasts to `x`; None for no bound.
        hi: the greatest value, in the same way.
    """
    return x
