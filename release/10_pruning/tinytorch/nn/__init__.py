"""Neural networks: modules, and the operations they are made of."""
# ruff: noqa: F401  one import for each layer, as in the package above

from tinytorch.nn.module import (
    CrossEntropyLoss,
    Linear,
    Module,
    MSELoss,
    Parameter,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
    cross_entropy,
    linear,
    log_softmax,
    mse_loss,
    relu,
    sigmoid,
    tanh,
)
