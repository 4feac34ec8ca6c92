"""Planted cards: what they tell together and alone, counted on the 1797 digits."""

from __future__ import annotations

import numpy as np
import pytest

from dropout_lab.experiments import data, planted


def cards(dataset):
    return dataset.inputs[:, -20:-10].argmax(1), dataset.inputs[:, -10:].argmax(1)


def told_by_one(card, labels):
    """The share of examples that are right when each symbol is read as the class it is most often shown with."""
    table = np.zeros((10, 10))
    np.add.at(table, (card, labels), 1)
    return table.max(1).sum() / len(labels)


@pytest.mark.parametrize("plant", [planted.partners, planted.witnesses, planted.bystanders])
def test_images_and_labels_stay(plant):
    digits = data.digits()
    found = plant(digits)
    np.testing.assert_array_equal(found.inputs[:, :64], digits.inputs)
    np.testing.assert_array_equal(found.labels, digits.labels)
    assert found.inputs.shape == (1797, 84) and found.inputs.dtype == np.float32
    np.testing.assert_array_equal(found.inputs[:, 64:].reshape(-1, 2, 10).sum(2), 1)


def test_partners_tell_the_class_together_and_nothing_alone():
    digits = data.digits()
    first, second = cards(planted.partners(digits))
    np.testing.assert_array_equal((second - first) % 10, digits.labels)
    # Read from 1797 examples, an uninformative card is right in about 14 % of them, since each symbol's most frequent
    # class is picked after the fact; 18 % lies more than five standard deviations above.
    assert told_by_one(first, digits.labels) < 0.18
    assert told_by_one(second, digits.labels) < 0.18


def test_a_witness_tells_the_class_by_itself():
    """Right with the probability 0.7 + 0.3/10 = 0.73: four standard deviations either way are 0.042 (false alarm 1e-4)."""
    digits = data.digits()
    for card in cards(planted.witnesses(digits)):
        assert abs((card == digits.labels).mean() - 0.73) < 0.042


def test_witnesses_err_independently():
    """Both wrong with the probability 0.27² = 0.073; four standard deviations are 0.025."""
    digits = data.digits()
    first, second = cards(planted.witnesses(digits))
    assert abs(((first != digits.labels) & (second != digits.labels)).mean() - 0.073) < 0.025


def test_bystanders_tell_nothing_together():
    digits = data.digits()
    first, second = cards(planted.bystanders(digits))
    assert told_by_one((second - first) % 10, digits.labels) < 0.18


def test_regression_has_no_classes_to_show():
    with pytest.raises(ValueError, match="diabetes is for regression"):
        planted.partners(data.diabetes())
