"""Shared by all tests."""

# The modules of the frontend call each other. The pipeline, by which they are always reached,
# imports them in an order that works; a test may import one of them alone.
import adcompile.pipeline  # noqa: F401
