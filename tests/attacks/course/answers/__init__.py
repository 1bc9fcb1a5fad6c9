"""What the course takes for right, where no student may get at it."""

import numpy as np

canary = "canary-reference"


def window_means(x, width):
    """Return the mean of each run of `width` neighbours in x."""
    return np.convolve(x, np.ones(width) / width, mode="valid")


def polynomial(coefficients, x):
    """Return the polynomial's value at each point of x."""
    return np.polynomial.polynomial.polyval(x, coefficients)
