"""The same programs under autograd, JAX and PyTorch, where these are installed.

A program looks up `np` among its globals, so it runs under another framework with another `np`.
Each `*_gradient(case)` returns a function without arguments, with inputs ready in the framework's
own form, that computes what the case asks for; so do those for Jacobians and Hessians, of cases
with one parameter to differentiate.
"""

from __future__ import annotations

import importlib.util
import types
from collections.abc import Callable
from typing import Any

from bench.programs import Case

from adcompile.trees import leaves, map_leaves

Thunk = Callable[[], Any]


def autograd_gradient(case: Case) -> Thunk:
    import autograd
    import autograd.numpy

    transform = autograd.value_and_grad if case.with_value else autograd.grad
    gradient = transform(with_numpy(case.program, autograd.numpy), _argnum(case))
    return lambda: gradient(*case.args)


def autograd_jacobian(case: Case) -> Thunk:
    import autograd
    import autograd.numpy

    jacobian = autograd.jacobian(with_numpy(case.program, autograd.numpy), _argnum(case))
    return lambda: jacobian(*case.args)


def autograd_hessian(case: Case) -> Thunk:
    """As a matrix: autograd has no Hessian by a tree."""
    import autograd
    import autograd.numpy
    from autograd.misc.flatten import flatten

    program = with_numpy(case.program, autograd.numpy)
    wanted, *rest = case.args
    flat, unflatten = flatten(wanted)
    hessian = autograd.hessian(lambda flat: program(unflatten(flat), *rest))
    return lambda: hessian(flat)


def jax_gradient(case: Case) -> Thunk:
    import jax

    return _jax(jax.value_and_grad if case.with_value else jax.grad, case)


def jax_jacobian(case: Case) -> Thunk:
    import jax

    return _jax(jax.jacobian, case)


def jax_hessian(case: Case) -> Thunk:
    import jax

    return _jax(jax.hessian, case)


def _jax(transform: Callable[..., Any], case: Case) -> Thunk:
    import jax
    import jax.numpy

    jax.config.update("jax_enable_x64", True)
    derivative = jax.jit(transform(with_numpy(case.program, jax.numpy), _argnum(case)))
    args = jax.device_put(case.args)
    return lambda: jax.block_until_ready(derivative(*args))


def torch_gradient(case: Case) -> Thunk:
    import torch

    torch.set_num_threads(1)
    program = with_numpy(case.program, _torch_numpy(torch, case.args[-1].dtype))
    args = map_leaves(torch.as_tensor, case.args)
    wanted = [leaf.requires_grad_() for i in case.wrt for leaf in leaves(args[i])]

    return lambda: torch.autograd.grad(program(*args), wanted)


def _torch_numpy(torch: Any, dtype: Any) -> Any:
    """The functions that the programs use, under NumPy's names."""
    torch_dtype = getattr(torch, str(dtype))
    return types.SimpleNamespace(
        tanh=torch.tanh,
        exp=torch.exp,
        sum=torch.sum,
        mean=torch.mean,
        zeros=lambda shape: torch.zeros(shape, dtype=torch_dtype),
        logaddexp=lambda zero, z: torch.nn.functional.softplus(z),
    )


def with_numpy(program: Callable[..., Any], numpy: Any) -> Callable[..., Any]:
    """The same program with another module for `np`."""
    return types.FunctionType(program.__code__, {**program.__globals__, "np": numpy})


def _argnum(case: Case) -> Any:
    return case.wrt[0] if len(case.wrt) == 1 else case.wrt


PEERS = {"autograd": autograd_gradient, "jax": jax_gradient, "torch": torch_gradient}
JACOBIANS = {"autograd": autograd_jacobian, "jax": jax_jacobian}
HESSIANS = {"autograd": autograd_hessian, "jax": jax_hessian}


def installed() -> dict[str, Callable[[Case], Thunk]]:
    return {name: make for name, make in PEERS.items() if importlib.util.find_spec(name)}
