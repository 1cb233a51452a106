"""Products of arrays that sum over axes: matmul, dot, tensordot, einsum and their kin."""

from __future__ import annotations

import operator

import numpy as np

from adcompile.rules.registry import alias, at_compile_time, linear


def flipped(x):
    """Matrices transposed."""
    return x.T if x.ndim == 2 else np.swapaxes(x, -1, -2)


def leading(x):
    """All axes but the last."""
    return tuple(range(x.ndim - 1))


# --- matmul: the last axis of x1 with the last but one of x2, matrices in stacks ----------------


@linear(np.matmul, arg=0)
def _(d_y, x1, x2):
    if x2.ndim == 1:
        return d_y * x2 if x1.ndim == 1 else d_y[..., None] * x2
    if x1.ndim == 1:
        return x2 @ d_y if x2.ndim == 2 else (x2 @ d_y[..., None])[..., 0]
    if x1.ndim == 2 and x2.ndim > 2:  # one matrix for a whole stack
        axes = (*range(x2.ndim - 2), x2.ndim - 1)
        return np.tensordot(d_y, x2, (axes, axes))
    return d_y @ flipped(x2)


@linear(np.matmul, arg=1)
def _(d_y, x1, x2):
    if x1.ndim == 1:
        return d_y * x1 if x2.ndim == 1 else x1[:, None] * d_y[..., None, :]
    if x2.ndim == 1:
        return d_y @ x1 if x1.ndim == 2 else np.tensordot(d_y, x1, x1.ndim - 1)
    if x2.ndim == 2 and x1.ndim > 2:  # one matrix for a whole stack
        return np.tensordot(x1, d_y, (leading(x1), leading(d_y)))
    return flipped(x1) @ d_y


# --- dot and inner: an axis of each, no stacks --------------------------------------------------


@linear(np.dot, arg=0)
def _(d_y, a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return d_y * b
    if b.ndim == 1:
        return d_y * b if a.ndim == 1 else d_y[..., None] * b
    if b.ndim == 2:
        return d_y @ b.T
    rest = tuple(range(a.ndim - 1, d_y.ndim))
    return np.tensordot(d_y, b, (rest, (*range(b.ndim - 2), b.ndim - 1)))


@linear(np.dot, arg=1)
def _(d_y, a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return d_y * a
    if a.ndim == 1:
        return d_y * a if b.ndim == 1 else d_y[..., None, :] * a[:, None]
    if b.ndim <= 2 and a.ndim == 2:
        return a.T @ d_y
    d_b = np.tensordot(a, d_y, (leading(a), leading(a)))  # the summed axis first
    return d_b if b.ndim < 3 else np.moveaxis(d_b, 0, -2)


@linear(np.inner, arg=0)
def _(d_y, a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0 or (a.ndim == 1 and b.ndim == 1):
        return d_y * b
    return np.tensordot(d_y, b, b.ndim - 1) if b.ndim > 1 else d_y[..., None] * b


@linear(np.inner, arg=1)
def _(d_y, a, b):
    if np.ndim(a) == 0 or np.ndim(b) == 0 or (a.ndim == 1 and b.ndim == 1):
        return d_y * a
    if a.ndim == 1:
        return d_y[..., None] * a
    return np.tensordot(d_y, a, (leading(a), leading(a)))


@linear(np.vdot, arg=0)
def _(d_y, a, b):
    return np.reshape(d_y * b, a.shape)


@linear(np.vdot, arg=1)
def _(d_y, a, b):
    return np.reshape(d_y * a, b.shape)


@linear(np.vecdot, arg=0)
def _(d_y, x1, x2):
    return np.expand_dims(d_y, -1) * x2


@linear(np.vecdot, arg=1)
def _(d_y, x1, x2):
    return np.expand_dims(d_y, -1) * x1


@linear(np.outer, arg=0)
def _(d_y, a, b):
    return np.reshape(d_y @ np.ravel(b), np.shape(a))


@linear(np.outer, arg=1)
def _(d_y, a, b):
    return np.reshape(np.ravel(a) @ d_y, np.shape(b))


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
    n = a.ndim - len(of_a)
    d = np.tensordot(d_y, b, (tuple(range(n, d_y.ndim)), kept(b.ndim, *of_b)))
    return np.transpose(d, places(True, a.ndim, b.ndim, *of_a, *of_b))


@linear(np.tensordot, arg=1)
def _(d_y, a, b, axes=2):
    of_a, of_b = summed(axes, a, b)
    n = a.ndim - len(of_a)
    d = np.tensordot(a, d_y, (kept(a.ndim, *of_a), tuple(range(n))))
    return np.transpose(d, places(False, b.ndim, a.ndim, *of_b, *of_a))


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
    d = np.einsum(back, d_y, *rest, optimize=optimize) if optimize else np.einsum(back, d_y, *rest)
    return np.expand_dims(d, lone) if lone else d


alias(np.matmul, np.linalg.matmul, operator.matmul)
alias(np.outer, np.linalg.outer)
alias(np.tensordot, np.linalg.tensordot)
alias(np.vecdot, np.linalg.vecdot)
