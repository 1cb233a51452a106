"""Derivatives of methods: what `model.loss_grad` is, where `loss_grad` is a `Derivative`."""

from __future__ import annotations

import inspect
import operator
import types
from typing import TYPE_CHECKING, Any

__all__ = ["BoundDerivative"]


class BoundDerivative:
    """The derivative of a method, and the object whose method it is.

    Attributes:
        of: the `Derivative`, which has the object as its first argument.

    All others are those of `of`.
    """

    def __init__(self, of: Any, receiver: Any):
        self.of, self.__self__, self.__doc__ = of, receiver, of.__doc__
        self._call = types.MethodType(of if of.mode.names_kept else _Packed(of), receiver)

    if TYPE_CHECKING:

        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
    else:
        __call__ = property(operator.attrgetter("_call"))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["of"], name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundDerivative):
            return NotImplemented
        return self.of is other.of and self.__self__ is other.__self__

    def __hash__(self) -> int:
        return hash((self.of, id(self.__self__)))

    def __repr__(self) -> str:
        return f"{repr(self.of)[:-1]}, of {self.__self__!r}>"

    def __reduce__(self) -> Any:
        return type(self), (self.of, self.__self__)

    @property
    def __signature__(self) -> inspect.Signature:
        found = self.of.__signature__
        if not self.of.mode.names_kept:
            return found
        return found.replace(parameters=list(found.parameters.values())[1:])

    @property
    def primal(self) -> Any:
        """The method as written."""
        return types.MethodType(self.of.primal, self.__self__)

    def lower(self, *args: Any, **kwargs: Any) -> Any:
        """Compile for the signature of these arguments, without running it."""
        args, kwargs = self.of.mode.of_method(self.__self__, args, kwargs)
        return self.of.lower(*args, **kwargs)


class _Packed:
    """A derivative that takes its arguments packed, as a function with an object before them."""

    def __init__(self, of: Any):
        self.of = of

    def __call__(self, receiver: Any, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = self.of.mode.of_method(receiver, args, kwargs)
        return self.of(*args, **kwargs)
