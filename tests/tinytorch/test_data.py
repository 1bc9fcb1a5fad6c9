"""The drawn shapes, and cutting arrays into batches."""

import numpy as np
import pytest

from tinytorch.data import NAMES, batches, shapes


def test_pictures_have_the_form_that_a_network_takes():
    """float32 images with a channel, and labels that cross-entropy can index by."""
    images, labels = shapes(50, size=20)
    assert images.shape == (50, 1, 20, 20)
    assert images.dtype == np.float32
    assert labels.shape == (50,)
    assert labels.dtype == np.int64
    assert set(labels) == set(range(len(NAMES)))


def test_a_seed_gives_the_same_pictures_and_another_one_others():
    """An experiment is repeated with the same pictures, and judged on ones that were not learned."""
    images, labels = shapes(20, seed=1)
    again, same = shapes(20, seed=1)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, same)
    assert not np.array_equal(images, shapes(20, seed=2)[0])


def test_every_class_is_drawn_about_as_often():
    """Always guessing the same class must not look like learning."""
    counts = np.bincount(shapes(2000)[1])
    assert len(counts) == len(NAMES)
    assert counts.min() > 0.8 * 2000 / len(NAMES)


def test_shapes_lie_inside_the_picture():
    """A shape cut off at the edge could be any of several."""
    images, _ = shapes(500, noise=0)
    edge = np.concatenate([images[..., 0, :], images[..., -1, :], images[..., 0], images[..., -1]])
    assert edge.max() == 0


def test_shapes_stand_out_from_the_noise():
    """Without noise the background is 0 and a shape 0.6 to 1; noise is added and not cut off."""
    quiet, loud = shapes(200, noise=0)[0], shapes(200, noise=0.1)[0]
    assert quiet.min() == 0
    brightest = quiet.max(axis=(1, 2, 3))
    assert 0.6 <= brightest.min() < 0.7
    assert 0.9 < brightest.max() <= 1
    assert (loud - quiet).std() == pytest.approx(0.1, rel=0.01)


def test_no_two_pictures_of_a_class_are_alike():
    """Place, size, tilt and contrast vary, so that a class cannot be learned by heart."""
    images, labels = shapes(200, noise=0)
    for label in range(len(NAMES)):
        chosen = images[labels == label]
        assert len(np.unique(chosen, axis=0)) == len(chosen)


def test_batches_hold_everything_once_in_order():
    """The rest that fills no batch is part of the data too."""
    x, y = np.arange(10).reshape(5, 2), np.arange(5)
    parts = list(batches(x, y, size=2))
    assert [len(labels) for _, labels in parts] == [2, 2, 1]
    np.testing.assert_array_equal(np.concatenate([images for images, _ in parts]), x)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels in parts]), y)


def test_shuffled_batches_keep_images_and_labels_together():
    """Shuffling one without the other leaves nothing to learn."""
    x, y = np.arange(100)[:, None] * 10, np.arange(100)
    parts = list(batches(x, y, size=32, rng=np.random.default_rng(0)))
    order = np.concatenate([labels for _, labels in parts])
    assert sorted(order) == list(range(100))
    assert not np.array_equal(order, y)
    for images, labels in parts:
        np.testing.assert_array_equal(images[:, 0], labels * 10)


@pytest.mark.parametrize(("lengths", "size"), [((3, 4), 2), ((3, 3), 0), ((), 1)])
def test_arrays_that_do_not_belong_together_are_refused(lengths, size):
    """The longer one would be cut off without a word."""
    with pytest.raises(ValueError, match="must be equal"):
        next(batches(*map(np.zeros, lengths), size=size))
