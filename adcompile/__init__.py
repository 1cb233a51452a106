"""adcompile: plain Python and NumPy in, a plain Python gradient out."""

from adcompile import optim, rules
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
from adcompile.debugging import debug
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
