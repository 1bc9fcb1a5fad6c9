"""Boxed Jupyter kernels, for cells that cannot be examined and for other languages."""
