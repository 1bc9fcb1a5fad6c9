"""TinyTorch: tensors, gradients and neural networks on NumPy, in layers that follow the course."""
# ruff: noqa: F401  one import for each layer: those after a layer are left out of what its students get

import tinytorch.optim
from tinytorch.autograd import Variable, check_grads, no_grad
from tinytorch.nn.module import Parameter, load, save
from tinytorch.tensor import Tensor, apply, rule
