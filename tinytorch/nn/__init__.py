"""Neural networks: modules, and the operations they are made of."""

from tinytorch.nn.module import Module as Module, Parameter as Parameter
