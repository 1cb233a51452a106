"""Forward, backward and update as one generated function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from adcompile.derivative import Derivative
from adcompile.errors import SignatureError
from adcompile.ir.core import Function
from adcompile.ir.types import Type
from adcompile.modes import Grad
from adcompile.optim.base import Optimizer
from adcompile.trees import unflatten

if TYPE_CHECKING:
    from adcompile.codegen.python import Generated

__all__ = ["TrainStep", "train_step"]


def train_step(
    loss: Callable[..., Any], optimizer: Optimizer, *, has_aux: bool = False
) -> TrainStep:
    """Compile a training step: the value, the gradient and the optimizer's update in one function.

    Args:
        loss: a function of the parameters, first, and of further arguments; returns one real
            number, or `(number, aux)` with `has_aux`.
        optimizer: made with the tree of parameters that is to be trained.

    Returns:
        A function of the further arguments. A call updates the optimizer's parameters in place and
        returns the value of `loss` before the update (with `has_aux`, `(value, aux)`). It gives the
        same numbers as `value_and_grad(loss)` and `optimizer.step`.

    Raises:
        SignatureError: if `loss` has no positional parameter to take the parameters.
    """
    return TrainStep(loss, optimizer, has_aux=has_aux)


class TrainStep(Derivative):
    """A compiled training step; `source`, `ssa`, `lower` and `export` as for a gradient.

    Attributes:
        optimizer: whose parameters and state each call updates.
    """

    state = (
        "this training step was made outside of the function: it changes parameters that outlast "
        "the call",
        "make the optimizer, and the training step, inside the function",
    )

    def __init__(self, loss: Callable[..., Any], optimizer: Optimizer, *, has_aux: bool = False):
        super().__init__(loss, Grad(has_aux=has_aux, with_value=True))
        first = next(iter(self.__signature__.parameters.values()))
        if first.kind not in (first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD):
            raise SignatureError(f"{loss.__name__} has no positional parameter for the parameters")
        self.optimizer = optimizer
        self._states = [
            unflatten(optimizer.structure, arrays)
            for arrays in zip(*optimizer.state)
            if arrays[0] is not None
        ]
        self._names: list[str] = []
        self._rest = self._state_and_numbers

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        optimizer = self.optimizer
        optimizer.check_identity()
        value = super().__call__(optimizer.params, *args, **kwargs)
        optimizer.steps += 1
        return value

    def lower(self, *args: Any, **kwargs: Any) -> Any:
        """Compile for the signature of these arguments, without running it."""
        return super().lower(self.optimizer.params, *args, **kwargs)

    def __reduce__(self) -> Any:
        raise TypeError("a training step cannot be pickled; pickle optimizer.state_dict()")

    def _generate(
        self, positional: list[Type], named: Mapping[str, Type]
    ) -> tuple[Generated, Function]:
        from adcompile.pipeline import compile_step  # when something is compiled, and no sooner

        generated, program, self._names = compile_step(
            self.inner, positional, named, self.optimizer, has_aux=self.mode.has_aux
        )
        return generated, program

    def _state_and_numbers(self) -> dict[str, Any]:
        return dict(zip(self._names, [*self._states, *self.optimizer.scalars().values()]))
