"""Pairs of images: what they tell together and alone, and that no image is in two pairs."""

from __future__ import annotations

import numpy as np
import pytest

from dropout_lab.experiments import data


@pytest.fixture(scope="module")
def numbered() -> data.Dataset:
    """1000 images of one pixel that is the image's own number; the class is its last digit."""
    numbers = np.arange(1000)
    return data.Dataset("numbered", numbers[:, None].astype(np.float32), numbers % 10, 10, (1,))


@pytest.mark.parametrize("plant", [data.partners, data.witnesses])
def test_each_image_stands_in_one_pair(numbered, plant):
    pairs = plant(numbered)
    assert pairs.inputs.shape == (500, 2) and pairs.inputs.dtype == np.float32
    np.testing.assert_array_equal(np.sort(pairs.inputs.ravel()), np.arange(1000))


def test_the_label_of_partners_is_the_sum_of_the_classes(numbered):
    pairs = data.partners(numbered)
    np.testing.assert_array_equal(pairs.inputs.sum(1) % 10, pairs.labels)


def test_a_partner_alone_tells_nothing(numbered):
    """Read as the label it is most often shown with, after the fact, a class of 50 images is right for about ten.

    An independent label is right in 0.2 of the cases on average with this advantage; 0.3 lies five standard deviations
    above, so a false alarm has a probability below 1e-5.
    """
    pairs = data.partners(numbered)
    for image in pairs.inputs.T.astype(int) % 10:
        table = np.zeros((10, 10))
        np.add.at(table, (image, pairs.labels), 1)
        assert table.max(1).sum() / len(pairs.labels) < 0.3


def test_both_images_of_witnesses_are_of_the_class(numbered):
    pairs = data.witnesses(numbered)
    np.testing.assert_array_equal(pairs.inputs.astype(int) % 10, np.stack([pairs.labels] * 2, axis=1))


def test_an_odd_image_is_left_over():
    """A class with an odd number of images cannot be paired up."""
    digits = data.digits()
    assert len(data.partners(digits).labels) == 1797 // 2
    assert len(data.witnesses(digits).labels) == sum(count // 2 for count in np.bincount(digits.labels))


@pytest.mark.parametrize("plant", [data.partners, data.witnesses])
def test_regression_has_no_classes_to_add(plant):
    with pytest.raises(ValueError, match="diabetes is for regression"):
        plant(data.diabetes())
