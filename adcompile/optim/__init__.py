"""Optimizers for parameter trees of NumPy arrays, learning-rate schedules and gradient clipping.

    params = {"W": np.zeros((784, 10)), "b": np.zeros(10)}
    optimizer = Adam(params, lr=cosine(1e-3, total=1000, warmup=50))
    for x, y in batches:
        optimizer.step(grad(loss)(params, x, y))        # updates params in place

The updates are those of `torch.optim`.
"""

from adcompile.optim.base import Optimizer
from adcompile.optim.clip import clip_by_global_norm
from adcompile.optim.methods import SGD, Adagrad, Adam, AdamW, RMSProp
from adcompile.optim.schedules import Schedule, constant, cosine, step_decay
from adcompile.optim.training import TrainStep, train_step

__all__ = [
    "SGD",
    "Adagrad",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSProp",
    "Schedule",
    "TrainStep",
    "clip_by_global_norm",
    "constant",
    "cosine",
    "step_decay",
    "train_step",
]
