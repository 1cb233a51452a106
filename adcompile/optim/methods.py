"""The optimizers: for each, its settings, what it remembers, and the numbers of a step.

The arithmetic is in `adcompile.optim.updates`. Settings mean what they mean in `torch.optim`, and
the updates are the same. In each class `params` is a tree (tuples, lists, dicts, named tuples,
dataclasses) of writable float arrays of any shape, all different, and `lr` a number or a function
from the step, counted from 0, to a number. All arithmetic is in the dtype of the parameter.

All raise `TypeError` for a parameter that cannot be updated in place (a number, an integer or
read-only array), naming it, and `ValueError` for a setting out of range.
"""

from __future__ import annotations

import math
from typing import Any

from adcompile.optim.base import Optimizer
from adcompile.optim.schedules import Schedule
from adcompile.optim.settings import is_off, number, rest
from adcompile.optim.updates import adagrad_update, adam_update, rmsprop_update, sgd_update


class SGD(Optimizer):
    """Gradient descent, with momentum (Polyak 1964) or Nesterov's (Sutskever et al. 2013).

    Args:
        params: tree of float arrays, updated in place.
        lr: learning rate, or a schedule.
        momentum: what remains of the velocity in each step.
        dampening: what a gradient lacks when it is added to the velocity; the first is added whole.
        weight_decay: factor of an L2 penalty.
        nesterov: look ahead along the velocity; needs momentum, and no dampening.
    """

    update = staticmethod(sgd_update)

    def __init__(
        self,
        params: Any,
        lr: float | Schedule,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        if nesterov and (momentum == 0 or dampening != 0):
            raise ValueError("nesterov needs a momentum above 0 and a dampening of 0")
        super().__init__(
            params,
            lr,
            state={"velocity": None if is_off(momentum) else 0.0},
            options={
                "momentum": number("momentum", momentum),
                "dampening": float(dampening),
                "weight_decay": number("weight_decay", weight_decay),
                "nesterov": bool(nesterov),
            },
        )

    def scalars(self) -> dict[str, float]:
        gain = 1.0 - self.options["dampening"] if self.steps else 1.0
        return {"lr": self.rate(), "gain": gain}


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, arXiv:1412.6980).

    Args:
        params: tree of float arrays, updated in place.
        lr: learning rate, or a schedule.
        betas: what remains of the running means of the gradient and of its square in each step.
        eps: added to the root of the mean square.
        weight_decay: factor of an L2 penalty, which is scaled along with the gradient.
    """

    update = staticmethod(adam_update)

    def __init__(
        self,
        params: Any,
        lr: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        self.betas = number("betas[0]", betas[0], below=1), number("betas[1]", betas[1], below=1)
        super().__init__(
            params,
            lr,
            state={"m": 0.0, "v": 0.0},
            options={
                "beta2": self.betas[1],
                "rest1": rest(self.betas[0]),
                "rest2": rest(self.betas[1]),
                "eps": number("eps", eps),
                "weight_decay": number("weight_decay", weight_decay),
                "decoupled": False,
            },
        )

    def scalars(self) -> dict[str, float]:
        t = self.steps + 1
        return {
            "lr": self.rate(),
            "correction1": 1 - self.betas[0] ** t,
            "root_correction2": math.sqrt(1 - self.betas[1] ** t),
        }


class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101).

    Args:
        params, lr, betas, eps: as for `Adam`.
        weight_decay: each step shrinks the parameters by the factor `1 - lr * weight_decay`.
    """

    def __init__(
        self,
        params: Any,
        lr: float | Schedule = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)
        self.options["decoupled"] = not is_off(weight_decay)


class RMSProp(Optimizer):
    """RMSProp (Hinton 2012, lecture 6e of "Neural Networks for Machine Learning").

    Args:
        params: tree of float arrays, updated in place.
        lr: learning rate, or a schedule.
        alpha: what remains of the running mean of the squared gradient in each step.
        eps: added to the root of the mean square.
        weight_decay: factor of an L2 penalty.
        momentum: what remains of the velocity in each step.
        centered: divide by the standard deviation instead (Graves 2013, arXiv:1308.0850).
    """

    update = staticmethod(rmsprop_update)

    def __init__(
        self,
        params: Any,
        lr: float | Schedule = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            state={
                "v": 0.0,
                "m": 0.0 if centered else None,
                "velocity": None if is_off(momentum) else 0.0,
            },
            options={
                "alpha": number("alpha", alpha),
                "rest": rest(number("alpha", alpha)),
                "eps": number("eps", eps),
                "weight_decay": number("weight_decay", weight_decay),
                "momentum": number("momentum", momentum),
                "centered": bool(centered),
            },
        )

    def scalars(self) -> dict[str, float]:
        return {"lr": self.rate()}


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan & Singer 2011, JMLR 12).

    Args:
        params: tree of float arrays, updated in place.
        lr: learning rate, or a schedule.
        lr_decay: in step t, counted from 0, the learning rate is divided by `1 + t * lr_decay`.
        weight_decay: factor of an L2 penalty.
        initial_accumulator_value: what the totals of the squared gradients start from.
        eps: added to the root of the total.
    """

    update = staticmethod(adagrad_update)

    def __init__(
        self,
        params: Any,
        lr: float | Schedule = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ) -> None:
        self._lr_decay = number("lr_decay", lr_decay)
        super().__init__(
            params,
            lr,
            state={"total": number("initial_accumulator_value", initial_accumulator_value)},
            options={
                "eps": number("eps", eps),
                "weight_decay": number("weight_decay", weight_decay),
            },
        )

    def scalars(self) -> dict[str, float]:
        decay = 1 if is_off(self._lr_decay) else 1 + self.steps * self._lr_decay
        return {"lr": self.rate() / decay}
