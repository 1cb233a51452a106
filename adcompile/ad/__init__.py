"""Automatic differentiation: SSA in, SSA out."""
