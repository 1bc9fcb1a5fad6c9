"""TinyTorch: tensors, gradients and neural networks on NumPy, in layers that follow the course."""
