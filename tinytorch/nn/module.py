"""Parameters and the modules that hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tinytorch.tensor import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator


class Parameter(Tensor):
    """A tensor that is learned: a leaf that needs a gradient. Its values are copied from data."""

    __slots__ = ()

    def __init__(self, data: Any, dtype: Any = None) -> None:
        super().__init__(data, dtype, requires_grad=True)


class Module:
    """Something with parameters that can be called; subclasses define `forward`.

    Parameters are found by looking, at the moment they are asked for: in attributes, in modules, and in lists, tuples and
    dicts of these, each once. There is nothing to register and nothing that could be out of date.
    """

    def forward(self, *inputs: Any) -> Tensor:
        """Return the module's output."""
        raise NotImplementedError(f"{type(self).__name__} has no forward(): define it")

    def __call__(self, *inputs: Any) -> Tensor:
        return self.forward(*inputs)

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter once, with the path of attributes that leads to it first."""
        return _walk(self, "", set())

    def parameters(self) -> list[Parameter]:
        """Return every parameter once, in the order of the attributes."""
        return [parameter for _, parameter in self.named_parameters()]

    def zero_grad(self) -> None:
        """Forget the gradient of every parameter."""
        for parameter in self.parameters():
            parameter.zero_grad()


def _walk(value: Any, path: str, seen: set[int]) -> Iterator[tuple[str, Parameter]]:
    if isinstance(value, Module):
        children = vars(value).items()
    elif isinstance(value, list | tuple):
        children = enumerate(value)
    elif isinstance(value, dict):
        children = value.items()
    elif not isinstance(value, Parameter):
        return
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, Parameter):
        yield path, value
        return
    for name, child in children:
        yield from _walk(child, f"{path}.{name}" if path else str(name), seen)
