"""adcompile: plain Python and NumPy in, a plain Python gradient out."""

from adcompile import optim
from adcompile.api import Gradient, Specialisation, grad, value_and_grad
from adcompile.errors import (
    AdcompileError,
    AliasError,
    InternalError,
    MissingRule,
    NotDifferentiable,
    SignatureError,
    SourceUnavailable,
    TypeMismatch,
    UnsupportedSyntax,
)
from adcompile.optim.training import train_step
from adcompile.runtime import stop_gradient
from adcompile.testing import check_grads

__all__ = [
    "AdcompileError",
    "AliasError",
    "Gradient",
    "InternalError",
    "MissingRule",
    "NotDifferentiable",
    "SignatureError",
    "SourceUnavailable",
    "Specialisation",
    "TypeMismatch",
    "UnsupportedSyntax",
    "check_grads",
    "grad",
    "optim",
    "stop_gradient",
    "train_step",
    "value_and_grad",
]
