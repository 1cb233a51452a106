"""Checks of derivatives, for users: of whole functions, and of the rules of single ones."""

from adcompile.testing.examples import Example, example
from adcompile.testing.grads import check_grads

__all__ = ["Example", "check_grads", "example"]
