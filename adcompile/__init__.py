"""adcompile: plain Python and NumPy in, a plain Python gradient out."""

from importlib import import_module
from typing import TYPE_CHECKING

from adcompile import optim
from adcompile.api import (
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_grad,
    vjp,
)
from adcompile.derivative import Derivative
from adcompile.errors import (
    AdcompileError,
    AliasError,
    InternalError,
    MissingRule,
    NotDifferentiable,
    NumericsError,
    SignatureError,
    SourceUnavailable,
    TypeMismatch,
    UnsupportedSyntax,
)
from adcompile.hooks import clip_gradient, gradient_of
from adcompile.optim.training import train_step
from adcompile.runtime import stop_gradient
from adcompile.specialisation import Specialisation

if TYPE_CHECKING:
    from adcompile import rules
    from adcompile.debugging import debug
    from adcompile.testing import check_grads, check_rule

__all__ = [
    "AdcompileError",
    "AliasError",
    "Derivative",
    "InternalError",
    "MissingRule",
    "NotDifferentiable",
    "NumericsError",
    "SignatureError",
    "SourceUnavailable",
    "Specialisation",
    "TypeMismatch",
    "UnsupportedSyntax",
    "check_grads",
    "check_rule",
    "clip_gradient",
    "debug",
    "elementwise_grad",
    "grad",
    "gradient_of",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "optim",
    "rules",
    "stop_gradient",
    "train_step",
    "value_and_grad",
    "vjp",
]

# Where names are that most programs do without: imported when they are asked for (PEP 562).
_LATER = {
    "check_grads": "adcompile.testing",
    "check_rule": "adcompile.testing",
    "debug": "adcompile.debugging",
}


def __getattr__(name: str) -> object:
    if name in ("rules", "testing"):
        return import_module(f"adcompile.{name}")
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_LATER[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
