"""What all optimizers share: the parameters, the state that goes with them, and the step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from adcompile.classes import of_programs
from adcompile.optim.schedules import Schedule
from adcompile.optim.settings import number
from adcompile.trees import flatten, leaves_like, paths

Array = np.ndarray[Any, np.dtype[Any]]


@of_programs
class Optimizer(ABC):
    """Updates the arrays of a parameter tree in place, one step for each gradient it is given.

    Gradients are values that a function returns. Nothing accumulates anywhere between two steps,
    so there is no `zero_grad`.

    A subclass says four things, and nothing else about the method is written anywhere:

    - `update`: the arithmetic, a pure function of one leaf (see `adcompile.optim.updates`);
    - `state` (to `__init__`): the names of what is remembered for each leaf, in the order `update`
      takes them, and the number each starts from, None where the options make it unnecessary;
    - `options` (to `__init__`): the keywords of `update` that are fixed when the optimizer is
      made, so that compiled code may have them built in;
    - `scalars()`: the other keywords of `update`, the Python floats of the step to be made.

    Attributes:
        params: the tree given, whose arrays are updated. Of an object only arrays of floats are
            parameters: its other attributes (numbers too) stay as they are.
        lr: the learning rate, or a schedule; may be assigned between steps.
        steps: how many steps have been made.
        options: name to number or bool; not to be changed.
        structure: the structure of `params`.
        leaves: the arrays of `params`, in order.
        paths: a readable name for each, such as `params["W1"]`.
        state_names: the names of the state, in order.
        state: for each leaf the tuple of its state, arrays like the leaf or None.
    """

    update: ClassVar[Callable[..., tuple[Any, ...]]]

    def __init__(
        self,
        params: Any,
        lr: float | Schedule,
        *,
        state: Mapping[str, float | None],
        options: Mapping[str, float | bool],
    ) -> None:
        self.params = params
        self.lr = lr
        self.steps = 0
        self.options = dict(options)
        self.leaves, self.structure = flatten(params, _is_constant)
        self.paths = paths(self.structure)
        check_params(self.leaves, self.paths)
        self.state_names = tuple(state)
        self.state = [initial_state(p, state) for p in self.leaves]

    @property
    def lr(self) -> float | Schedule:
        return self._lr

    @lr.setter
    def lr(self, lr: float | Schedule) -> None:
        self._lr = lr if callable(lr) else number("lr", lr)

    @abstractmethod
    def scalars(self) -> dict[str, float]:
        """Return the numbers that `update` takes in the step to be made."""

    def rate(self) -> float:
        """Return the learning rate of the step to be made."""
        return number("lr", self._lr(self.steps)) if callable(self._lr) else self._lr

    def step(self, grads: Any) -> None:
        """Update every array of the parameters in place.

        Args:
            grads: a tree like the parameters; each leaf has the shape and dtype of its parameter.
                It is only read.

        Raises:
            ValueError: if the structure or a shape differs, or if an array was put in the place
                of a parameter since the optimizer was made.
            TypeError: if a leaf is not an array, or has another dtype.
        """
        self.check_identity()
        d_leaves = leaves_like(self.structure, grads, "grads")
        for path, p, d_p in zip(self.paths, self.leaves, d_leaves, strict=True):
            _check_gradient(path, p, d_p)
        self._apply(d_leaves, self.scalars())
        self.steps += 1

    def _apply(self, d_leaves: list[Any], scalars: dict[str, float]) -> None:
        """Make the step: the one place where parameters and state are written."""
        for p, d_p, state in zip(self.leaves, d_leaves, self.state, strict=True):
            new = self.update(p, d_p, *state, **scalars, **self.options)
            for k, array in enumerate((p, *state)):
                if array is not None:
                    overwrite(array, new[k])

    def state_dict(self) -> dict[str, Any]:
        """Return what is needed to go on later: a flat dict of numbers and copies of arrays.

        The keys are `kind` (the class name), `steps`, and one for each array, such as `m["W1"]`
        for the `m` of `params["W1"]`. It can be pickled, and saved by `np.savez(path, **state)`.
        Neither the parameters nor the settings (`lr`, `weight_decay`, …) are part of it.
        """
        arrays = {key: array.copy() for key, array in self._state_items().items()}
        return {"kind": type(self).__name__, "steps": self.steps, **arrays}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over a state: a `state_dict()`, or what `np.load` gives for a saved one.

        The arrays are copied. With the same parameters, settings and gradients, the steps that
        follow are the same bit for bit. If anything is wrong, nothing is changed.

        Raises:
            ValueError: if it is the state of another kind of optimizer, or of one with other
                parameters or options: keys, shapes or dtypes differ.
        """
        own, kind = self._state_items(), type(self).__name__
        if (got := str(state.get("kind"))) != kind:
            raise ValueError(f"expected the state of {kind}, got that of {got}")
        if differing := sorted({"kind", "steps", *own} ^ set(state), key=str):
            words = (f"{'unexpected' if key in state else 'missing'} {key}" for key in differing)
            raise ValueError(f"the state does not fit these parameters: {', '.join(words)}")
        arrays = {key: np.asarray(state[key]) for key in own}
        for key, array in own.items():
            if (array.shape, array.dtype) != (arrays[key].shape, arrays[key].dtype):
                raise ValueError(f"{key}: expected {_spec(array)}, got {_spec(arrays[key])}")
        self.steps = int(state["steps"])
        for key, array in own.items():
            array[...] = arrays[key]

    def _state_items(self) -> dict[str, Array]:
        """The arrays of the state, under the keys that `state_dict` gives them."""
        return {
            name + path.removeprefix("params"): array
            for path, arrays in zip(self.paths, self.state, strict=True)
            for name, array in zip(self.state_names, arrays, strict=True)
            if array is not None
        }

    def check_identity(self) -> None:
        """An array assigned to `params["W"]` would never be updated: better to say so."""
        current = leaves_like(self.structure, self.params, "params")
        for path, p, q in zip(self.paths, self.leaves, current, strict=True):
            if p is not q:
                raise ValueError(
                    f"{path} is another array than when the optimizer was made; "
                    f"write {path}[...] = value, or make a new optimizer"
                )

    def __repr__(self) -> str:
        settings = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"<{type(self).__name__} lr={self.lr!r}{settings}: {self.steps} steps made>"


def overwrite(array: Array, value: Any) -> None:
    """Write `value`, of its shape and dtype, over `array`."""
    array[...] = value


def initial_state(p: Array, state: Mapping[str, float | None]) -> tuple[Array | None, ...]:
    """What is remembered of the leaf `p` at first: arrays like it, filled as `state` says."""
    return tuple(
        None if fill is None else np.full_like(p, fill, subok=False) for fill in state.values()
    )


def _spec(array: Array) -> str:
    return f"{array.dtype} of shape {array.shape}"


def check_params(leaves: list[Any], paths: list[str]) -> None:
    """Refuse parameters that cannot be updated in place, each by itself."""
    if not leaves:
        raise ValueError("params holds no arrays")
    seen: dict[int, str] = {}
    for path, p in zip(paths, leaves, strict=True):
        if reason := problem(p):
            raise TypeError(f"{path} {reason}")
        if p.size and (other := seen.setdefault(p.ctypes.data, path)) != path:
            raise ValueError(f"{other} and {path} are the same array, which would be updated twice")


def _is_constant(attribute: Any) -> bool:
    """Whether an attribute of an object is not trained: a number, a name, an array of integers."""
    return not (isinstance(attribute, (np.ndarray, np.generic)) and attribute.dtype.kind == "f")


def problem(p: Any) -> str | None:
    """Why `p` cannot be updated in place, and what to write instead."""
    if isinstance(p, (int, float, np.integer, np.floating)):
        value = p if isinstance(p, np.floating) else float(p)
        return f"is a number, which cannot be updated in place; write np.array({value!r})"
    if not isinstance(p, np.ndarray):
        return f"is of type {type(p).__name__}; expected a float array"
    if not np.issubdtype(p.dtype, np.floating):
        return f"has dtype {p.dtype}; expected a float array, such as np.array(..., dtype=float)"
    if not p.flags.writeable:
        return "is read-only, and cannot be updated in place; pass a copy()"
    return None


def _check_gradient(path: str, p: Array, d_p: Any) -> None:
    if isinstance(d_p, float) and not isinstance(d_p, np.generic) and p.shape == ():
        return  # the gradient of a 0-d array may well be a plain number
    place = "grads" + path.removeprefix("params")
    if not isinstance(d_p, (np.ndarray, np.generic)):
        raise TypeError(f"{place}: expected {_spec(p)} like {path}, got {type(d_p).__name__}")
    if d_p.shape != p.shape:
        raise ValueError(f"{place}: expected shape {p.shape} like {path}, got {d_p.shape}")
    if d_p.dtype != p.dtype:
        raise TypeError(f"{place}: expected dtype {p.dtype} like {path}, got {d_p.dtype}")
