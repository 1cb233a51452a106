"""Modes: the kinds of derivative, each as what its function takes and how its SSA is made."""

from adcompile.modes.base import CHAINS, Derived, Mode
from adcompile.modes.forward import Hvp, Jvp
from adcompile.modes.jacobian import Hessian, Jacobian
from adcompile.modes.reverse import ElementwiseGrad, Grad, Vjp

__all__ = [
    "CHAINS",
    "Derived",
    "ElementwiseGrad",
    "Grad",
    "Hessian",
    "Hvp",
    "Jacobian",
    "Jvp",
    "Mode",
    "Vjp",
]
