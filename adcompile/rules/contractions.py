"""Products of arrays that sum over axes: matmul, dot, tensordot, einsum and their kin."""

from __future__ import annotations

import operator

import numpy as np

from adcompile.rules.reductions import spread
from adcompile.rules.registry import alias, at_compile_time, linear


def flipped(x):
    """Matrices transposed."""
    return x.T if x.ndim == 2 else np.swapaxes(x, -1, -2)


@at_compile_time
def pair(*axes):
    """The axes of one array (the first half) and of another to sum over, for tensordot."""
    n = len(axes) // 2
    return axes[:n], axes[n:]


def over_leading(a, b, n):
    """Products summed over the `n` leading axes of both."""
    return np.tensordot(a, b, pair(*range(n), *range(n)))


# --- matmul: the last axis of x1 with the last but one of x2, matrices in stacks ----------------


@linear(np.matmul, arg=0)
def _(d_y, x1, x2):
    if x2.ndim == 1:
        if x1.ndim == 1:
            return d_y * x2
        return np.outer(d_y, x2) if x1.ndim == 2 else d_y[..., None] * x2
    if x1.ndim == 1 and x2.ndim == 2:
        return x2 @ d_y
    stack = range(x2.ndim - 2)
    if x1.ndim == 1:
        return np.tensordot(d_y, x2, pair(*range(d_y.ndim), *stack, x2.ndim - 1))
    if x1.ndim == 2 and x2.ndim > 2:  # one matrix for a whole stack
        return np.tensordot(d_y, x2, pair(*stack, x2.ndim - 1, *stack, x2.ndim - 1))
    return d_y @ flipped(x2)


@linear(np.matmul, arg=1)
def _(d_y, x1, x2):
    if x1.ndim == 1:
        if x2.ndim == 1:
            return d_y * x1
        return np.outer(x1, d_y) if x2.ndim == 2 else x1[:, None] * d_y[..., None, :]
    if x2.ndim == 1:
        return d_y @ x1 if x1.ndim == 2 else np.tensordot(d_y, x1, x1.ndim - 1)
    if x2.ndim == 2 and x1.ndim > 2:  # one matrix for a whole stack
        return over_leading(x1, d_y, x1.ndim - 1)
    return flipped(x1) @ d_y


# --- dot and inner: an axis of each, no stacks --------------------------------------------------


@linear(np.dot, arg=0)
def _(d_y, a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return d_y * b
    if b.ndim == 1:
        if a.ndim == 1:
            return d_y * b
        return np.outer(d_y, b) if a.ndim == 2 else d_y[..., None] * b
    if b.ndim == 2:
        return b @ d_y if a.ndim == 1 else d_y @ b.T
    rest = range(a.ndim - 1, d_y.ndim)
    return np.tensordot(d_y, b, pair(*rest, *range(b.ndim - 2), b.ndim - 1))


@linear(np.dot, arg=1)
def _(d_y, a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return d_y * a
    if a.ndim == 1:
        if b.ndim == 1:
            return d_y * a
        return np.outer(a, d_y) if b.ndim == 2 else d_y[..., None, :] * a[:, None]
    if b.ndim == 1:
        return d_y @ a if a.ndim == 2 else np.tensordot(d_y, a, a.ndim - 1)
    if b.ndim == 2 and a.ndim == 2:
        return a.T @ d_y
    d_b = over_leading(a, d_y, a.ndim - 1)  # the summed axis first
    return d_b if b.ndim < 3 else np.moveaxis(d_b, 0, -2)


@linear(np.inner, arg=0)
def _(d_y, a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0 or (a.ndim == 1 and b.ndim == 1):
        return d_y * b
    if b.ndim == 1:
        return np.outer(d_y, b) if a.ndim == 2 else d_y[..., None] * b
    return d_y @ b if b.ndim == 2 else np.tensordot(d_y, b, b.ndim - 1)


@linear(np.inner, arg=1)
def _(d_y, a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0 or (a.ndim == 1 and b.ndim == 1):
        return d_y * a
    if a.ndim == 1:
        return np.outer(d_y, a) if b.ndim == 2 else d_y[..., None] * a
    if b.ndim == 1:
        return d_y @ a if a.ndim == 2 else np.tensordot(d_y, a, a.ndim - 1)
    return d_y.T @ a if a.ndim == b.ndim == 2 else over_leading(d_y, a, a.ndim - 1)


@linear(np.vdot, arg=0)
def _(d_y, a, b):
    return d_y * b if a.ndim == b.ndim == 1 else np.reshape(d_y * b, a.shape)


@linear(np.vdot, arg=1)
def _(d_y, a, b):
    return d_y * a if a.ndim == b.ndim == 1 else np.reshape(d_y * a, b.shape)


@linear(np.vecdot, arg=0)
def _(d_y, x1, x2):
    return spread(d_y, -1, False) * x2


@linear(np.vecdot, arg=1)
def _(d_y, x1, x2):
    return spread(d_y, -1, False) * x1


def flat(x):
    return x if np.ndim(x) == 1 else np.ravel(x)


@linear(np.outer, arg=0)
def _(d_y, a, b):
    if np.ndim(a) == 1:
        return d_y @ flat(b)
    return np.reshape(d_y @ flat(b), np.shape(a))


@linear(np.outer, arg=1)
def _(d_y, a, b):
    if np.ndim(b) == 1:
        return flat(a) @ d_y
    return np.reshape(flat(a) @ d_y, np.shape(b))


# --- tensordot and einsum: the plan is made at compile time -------------------------------------


def summed(axes, a, b):
    """The axes of `a` and of `b` that tensordot sums over, in matching order."""
    if isinstance(axes, int):
        return tuple(range(a.ndim - axes, a.ndim)), tuple(range(axes))
    of_a, of_b = axes
    return (of_a,) if isinstance(of_a, int) else of_a, (of_b,) if isinstance(of_b, int) else of_b


@at_compile_time
def kept(rank, *axes):
    """The axes of an array that are not summed over."""
    summed = [k % rank for k in axes]
    return tuple(k for k in range(rank) if k not in summed)


@at_compile_time
def places(first, rank, other, *axes):
    """Where the axes go that tensordot(d_y, other) gives: those of one operand in their order.

    Its axes that were kept come first or last; those that were summed over come in the order of
    the other's, which `axes` tell: this operand's, then the other's.
    """
    n = len(axes) // 2
    mine, others = [k % rank for k in axes[:n]], [k % other for k in axes[n:]]
    matched = [mine[others.index(k)] for k in sorted(others)]
    rest = [k for k in range(rank) if k not in mine]
    order = rest + matched if first else matched + rest
    return tuple(order.index(k) for k in range(rank))


@linear(np.tensordot, arg=0)
def _(d_y, a, b, axes=2):
    of_a, of_b = summed(axes, a, b)
    if np.ndim(d_y) == 0:
        return d_y * np.transpose(b, places(True, a.ndim, b.ndim, *of_a, *of_b))
    if a.ndim == 2 and b.ndim == 2 and len(of_a) == 1:
        last = of_b[0] % 2 == 1
        return d_y @ (b if last else b.T) if of_a[0] % 2 == 1 else (b.T if last else b) @ d_y.T
    n = a.ndim - len(of_a)
    if len(of_a) == 0 and d_y.ndim == 2:
        return d_y @ b
    back = np.tensordot(d_y, b, (tuple(range(n, d_y.ndim)), kept(b.ndim, *of_b)))
    return np.transpose(back, places(True, a.ndim, b.ndim, *of_a, *of_b))


@linear(np.tensordot, arg=1)
def _(d_y, a, b, axes=2):
    of_a, of_b = summed(axes, a, b)
    if np.ndim(d_y) == 0:
        return d_y * np.transpose(a, places(False, b.ndim, a.ndim, *of_b, *of_a))
    if a.ndim == 2 and b.ndim == 2 and len(of_a) == 1:
        last = of_a[0] % 2 == 1
        return d_y.T @ (a if last else a.T) if of_b[0] % 2 == 1 else (a.T if last else a) @ d_y
    n = a.ndim - len(of_a)
    if len(of_a) == 0 and d_y.ndim == 2:
        return a @ d_y
    back = np.tensordot(a, d_y, (kept(a.ndim, *of_a), tuple(range(n))))
    return np.transpose(back, places(False, b.ndim, a.ndim, *of_b, *of_a))


@at_compile_time
def einsum_back(k, subscripts, *ranks):
    """The subscripts of the k-th operand's cotangent, and those of its indices that are alone.

    The output and the operand change places; what it alone has was summed, and is spread again.
    """
    inputs, output = spelled_out(subscripts, ranks)
    mine = inputs.pop(k - 1)
    others = "".join([output, *inputs])
    lone = tuple(i for i, c in enumerate(mine) if c not in others)
    found = "".join(c for c in mine if c in others)
    return f"{','.join([output, *inputs])}->{found}", lone, len(set(mine)) < len(mine)


def spelled_out(subscripts, ranks):
    """Input subscripts and output with implicit output and ellipses written out."""
    left, arrow, output = subscripts.replace(" ", "").partition("->")
    inputs = left.split(",")
    if not arrow:
        letters = left.replace(",", "").replace(".", "")
        once = sorted(c for c in set(letters) if letters.count(c) == 1)
        output = "".join(["..." if "." in left else "", *once])
    widths = [n - len(s.replace("...", "")) for s, n in zip(inputs, ranks)]
    widest = max([0, *[w for s, w in zip(inputs, widths) if "." in s]])
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in subscripts]
    dots = "".join(free[:widest])
    inputs = [s.replace("...", dots[widest - w :]) for s, w in zip(inputs, widths)]
    return inputs, output.replace("...", dots)


@linear(np.einsum, arg=range(1, 33))
def _(k, d_y, subscripts, *operands, optimize=False):
    ranks, rest = [], []
    for j, x in enumerate(operands, 1):
        ranks.append(np.ndim(x))
        if j != k:
            rest.append(x)
    back, lone, diagonal = einsum_back(k, subscripts, *ranks)
    if diagonal:
        return NotImplemented
    if lone:
        return spread(summed_up(back, optimize, d_y, *rest), lone, False)
    return summed_up(back, optimize, d_y, *rest)


def summed_up(subscripts, optimize, *operands):
    if is_plain(subscripts):
        return operands[0] if len(operands) == 1 else operands[0] * operands[1]
    if optimize:
        return np.einsum(subscripts, *operands, optimize=optimize)
    return np.einsum(subscripts, *operands)


@at_compile_time
def is_plain(subscripts):
    """Whether this einsum is no more than its operand, or a number times its second operand."""
    inputs, _, output = subscripts.partition("->")
    return inputs in (output, f",{output}")


alias(np.matmul, np.linalg.matmul, operator.matmul)
alias(np.outer, np.linalg.outer)
alias(np.tensordot, np.linalg.tensordot)
alias(np.vecdot, np.linalg.vecdot)
