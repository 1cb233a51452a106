"""The arithmetic of each optimizer: one step for one array, as a pure function.

    new_p, *new_state = update(p, d_p, *state, **scalars, **options)

`p` is the parameter, `d_p` the gradient of the loss with respect to it, and `state` what the
optimizer remembers about it: arrays of the shape and dtype of `p`, or None for what the chosen
options have no use for (None in, None out). Nothing is written in place.

These functions are the only description of the arithmetic, and they are written to be compiled
and inlined after a backward sweep: `options` are known then, so an `if` on them leaves no branch
behind, and `scalars` are the numbers of one step. All numbers are Python floats, which are weak:
the results have the dtype of `p`.
"""

from __future__ import annotations

from typing import Any

from adcompile.optim.settings import is_off
from adcompile.runtime import root

Leaf = Any  # a float array or NumPy scalar; for state also None


def sgd_update(
    p: Leaf,
    d_p: Leaf,
    velocity: Leaf,
    *,
    lr: float,
    gain: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
) -> tuple[Leaf, Leaf]:
    """Stochastic gradient descent; `gain` is what a gradient counts for in the velocity.

    The velocity starts at zero and the first gradient enters it undamped, `gain` being 1 in the
    first step and `1 - dampening` after it: so the first step needs no code of its own.
    """
    d_p = add_decay(p, d_p, weight_decay)
    if not is_off(momentum):
        velocity = momentum * velocity + (d_p if is_off(dampening) else gain * d_p)
        d_p = d_p + momentum * velocity if nesterov else velocity
    return p - lr * d_p, velocity


def adam_update(
    p: Leaf,
    d_p: Leaf,
    m: Leaf,
    v: Leaf,
    *,
    lr: float,
    correction1: float,
    root_correction2: float,
    beta2: float,
    rest1: float,
    rest2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
) -> tuple[Leaf, Leaf, Leaf]:
    """Adam and, with `decoupled` weight decay, AdamW.

    `rest1` and `rest2` are `1 - beta1` and `1 - beta2`. In step t (from 1), `correction1` is
    `1 - beta1**t` and `root_correction2` is `sqrt(1 - beta2**t)`: they undo the pull of `m` and `v`
    towards the zeros they start from.
    """
    if decoupled:
        p = p * (1 - lr * weight_decay)
    else:
        d_p = add_decay(p, d_p, weight_decay)
    m = m + rest1 * (d_p - m)
    v = beta2 * v + rest2 * (d_p * d_p)
    return p - lr / correction1 * m / (root(v) / root_correction2 + eps), m, v


def rmsprop_update(
    p: Leaf,
    d_p: Leaf,
    v: Leaf,
    m: Leaf,
    velocity: Leaf,
    *,
    lr: float,
    alpha: float,
    rest: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    centered: bool,
) -> tuple[Leaf, Leaf, Leaf, Leaf]:
    """RMSProp: divide by a running root mean square, or standard deviation where `centered`.

    `rest` is `1 - alpha`.
    """
    d_p = add_decay(p, d_p, weight_decay)
    v = alpha * v + rest * (d_p * d_p)
    if centered:
        m = m + rest * (d_p - m)
        scale = root(v - m * m) + eps
    else:
        scale = root(v) + eps
    if not is_off(momentum):
        velocity = momentum * velocity + d_p / scale
        p = p - lr * velocity
    else:
        p = p - lr * d_p / scale
    return p, v, m, velocity


def adagrad_update(
    p: Leaf,
    d_p: Leaf,
    total: Leaf,
    *,
    lr: float,
    eps: float,
    weight_decay: float,
) -> tuple[Leaf, Leaf]:
    """Adagrad: divide by the root of the `total` of all squared gradients so far."""
    d_p = add_decay(p, d_p, weight_decay)
    total = total + d_p * d_p
    return p - lr * d_p / (root(total) + eps), total


def add_decay(p: Leaf, d_p: Leaf, weight_decay: float) -> Leaf:
    """Add the gradient of the penalty `weight_decay / 2 * sum(p**2)` to `d_p`."""
    if not is_off(weight_decay):
        d_p = d_p + weight_decay * p
    return d_p
