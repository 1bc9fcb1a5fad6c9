"""Arrays on the student's side, and objects of ours that a student's code may hold.

Whether two names mean one piece of memory cannot be seen in copied values. It can be seen in behaviour:
write through one handle, read through the other. In a notebook a handle is the array itself; where the
student's code lives in another process it stands for an array over there. So a handle is only good for
three things: it is passed to the student's functions, written to (`handle[index] = value`), and read by
`value(handle)`.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from examiner_checks.failures import CheckFailed, type_name


def array(v: ArrayLike) -> NDArray[Any]:
    """Return a handle to a new array with the values of `v`, made on the student's side."""
    return np.array(v)


def ref(x: object) -> NDArray[Any]:
    """Return a handle to the student's own array `x`.

    Raises
    ------
    CheckFailed
        If `x` is not exactly a `numpy.ndarray`.
    """
    if type(x) is not np.ndarray:
        raise CheckFailed(f"got a {type_name(x)}, expected a numpy.ndarray")
    return x


def value(h: object) -> NDArray[Any]:
    """Return a copy of what the handle `h` holds now.

    Raises
    ------
    CheckFailed
        If `h` is not exactly a `numpy.ndarray`.
    """
    return ref(h).copy()


class NumpyOnly:
    """A stranger to every class hierarchy: it has `.numpy()` and nothing else.

    Code that obtains its arrays through `.numpy()` works with it; code that asks `isinstance` or `hasattr`
    does not.

    Parameters
    ----------
    v : array_like
        The values; they are copied.
    """

    __slots__ = ("_array",)

    def __init__(self, v: ArrayLike) -> None:
        self._array: NDArray[Any] = np.array(v)

    def numpy(self) -> NDArray[Any]:
        """Return the values, the same array each time."""
        return self._array


class Spy:
    """Looks like a tensor, and counts which of its attributes are read.

    Parameters
    ----------
    v : array_like
        The values; they are copied.

    Attributes
    ----------
    reads : dict of str to int
        How often `numpy`, `data`, `shape`, `dtype`, `ndim`, `size` and `__array__` were used so far.
    """

    __slots__ = ("_array", "reads")

    def __init__(self, v: ArrayLike) -> None:
        self._array: NDArray[Any] = np.array(v)
        self.reads: dict[str, int] = dict.fromkeys(
            ("numpy", "data", "shape", "dtype", "ndim", "size", "__array__"), 0
        )

    def numpy(self) -> NDArray[Any]:
        """Return the values, the same array each time."""
        self.reads["numpy"] += 1
        return self._array

    @property
    def data(self) -> NDArray[Any]:
        """The values, the same array each time."""
        self.reads["data"] += 1
        return self._array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the values."""
        self.reads["shape"] += 1
        return self._array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        self.reads["dtype"] += 1
        return self._array.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        self.reads["ndim"] += 1
        return self._array.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        self.reads["size"] += 1
        return self._array.size

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        self.reads["__array__"] += 1
        return np.array(self._array, dtype=dtype, copy=copy)
