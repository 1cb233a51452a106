"""Checks of derivatives, for users: of whole functions, and of the rules of single ones."""

from adcompile.testing.examples import Example, example
from adcompile.testing.grads import check_grads
from adcompile.testing.rules import check_rule

__all__ = ["Example", "check_grads", "check_rule", "example"]
