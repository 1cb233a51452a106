"""How each function differentiates: one file a family, one registry for all.

The words are public: with them a rule is given for any function, of Python or of C.
"""

from adcompile.rules.registry import adjoint, alias, elementwise, linear, returns, tangent, zero

__all__ = ["adjoint", "alias", "elementwise", "linear", "returns", "tangent", "zero"]
