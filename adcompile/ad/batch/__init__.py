"""Batches of directions: a Jacobian as one function that carries all directions at once."""

from adcompile.ad.batch.blocks import jacobian_blocks

__all__ = ["jacobian_blocks"]
