"""TinyTorch: tensors, gradients and neural networks on NumPy, in layers that follow the course."""

from tinytorch.tensor import Tensor as Tensor, apply as apply, rule as rule
from tinytorch.autograd import Variable as Variable, check_grads as check_grads, no_grad as no_grad
from tinytorch.nn.module import Parameter as Parameter
