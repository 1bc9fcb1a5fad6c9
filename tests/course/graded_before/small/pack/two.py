"""Part two."""

from pack.one import double


def triple(x):
    return double(x) + x
