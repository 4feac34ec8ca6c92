"""The list of masks and means over it, against brute force in plain Python with exact fractions."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dropout_lab import ensemble

KEEP_PROBS = (0.0, 0.2, 0.5, 0.8, 1.0)


def by_hand(n: int, keep_probs: list[float]) -> list[tuple[list[int], float]]:
    """Every mask with its probability, in binary counting order, exact until the last rounding."""
    found = []
    for bits in product((0, 1), repeat=n):
        mask = list(reversed(bits))
        factors = [Fraction(p) if kept else 1 - Fraction(p) for kept, p in zip(mask, keep_probs, strict=True)]
        found.append((mask, float(math.prod(factors, start=Fraction(1)))))
    return found


@pytest.mark.parametrize("n", range(7))
@pytest.mark.parametrize("keep_prob", KEEP_PROBS)
def test_every_mask_stands_in_binary_counting_order_with_its_probability(n: int, keep_prob: float) -> None:
    table, probabilities = ensemble.masks(n, keep_prob)
    expected = by_hand(n, [keep_prob] * n)
    assert table.dtype == probabilities.dtype == torch.float64
    assert table.shape == (2**n, n)
    assert table.tolist() == [mask for mask, _ in expected]
    torch.testing.assert_close(
        probabilities, torch.tensor([weight for _, weight in expected], dtype=torch.float64), rtol=1e-14, atol=0
    )
    assert float(probabilities.sum()) == pytest.approx(1, abs=1e-15 * 2**n)


@given(st.lists(st.floats(0, 1), max_size=8))
@settings(max_examples=50, deadline=None)
def test_each_unit_may_have_a_keep_probability_of_its_own(keep_probs: list[float]) -> None:
    table, probabilities = ensemble.masks(len(keep_probs), keep_probs)
    assert float(probabilities.sum()) == pytest.approx(1, abs=1e-13)
    torch.testing.assert_close(probabilities @ table, torch.tensor(keep_probs, dtype=torch.float64), atol=1e-13, rtol=0)
    again = ensemble.masks(len(keep_probs), torch.tensor(keep_probs, dtype=torch.float64))
    assert torch.equal(again[1], probabilities)


def skewed(table: Tensor) -> Tensor:
    """A function of a mask that no symmetry of the masks leaves as it is, with an output of shape (2, 3)."""
    weight = torch.linspace(-1, 2, table.shape[1] * 6, dtype=torch.float64).reshape(table.shape[1], 6)
    return torch.tanh(table @ weight + 0.3).square().reshape(-1, 2, 3)


def mean_by_hand(n: int, keep_probs: list[float], transform) -> Tensor:
    total = torch.zeros(2, 3, dtype=torch.float64)
    for mask, weight in by_hand(n, keep_probs):
        total += weight * transform(skewed(torch.tensor([mask], dtype=torch.float64))[0])
    return total


@pytest.mark.parametrize("chunk", [1, 3, 64, 4096])
@pytest.mark.parametrize("keep_prob", KEEP_PROBS)
def test_the_mean_of_a_function_weights_each_mask_with_its_probability(keep_prob: float, chunk: int) -> None:
    found = ensemble.exact_mean(skewed, 6, keep_prob, chunk=chunk)
    torch.testing.assert_close(found, mean_by_hand(6, [keep_prob] * 6, lambda v: v), rtol=1e-13, atol=1e-14)


def test_the_mean_of_a_function_of_units_with_different_keep_probabilities() -> None:
    keep_probs = [0.1, 0.5, 0.9, 0.7, 1.0]
    found = ensemble.exact_mean(skewed, 5, keep_probs)
    torch.testing.assert_close(found, mean_by_hand(5, keep_probs, lambda v: v), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("keep_prob", [0.3, 0.5, 0.8])
def test_geometric_means_are_products_of_powers(keep_prob: float) -> None:
    """Π f(r)^π(r), normalized or not: by powers, not by logarithms."""
    raw = torch.ones(2, 3, dtype=torch.float64)
    for mask, weight in by_hand(5, [keep_prob] * 5):
        raw *= skewed(torch.tensor([mask], dtype=torch.float64))[0].softmax(-1) ** weight
    found = ensemble.exact_geometric_mean(skewed, 5, keep_prob, output="softmax", chunk=7, normalize=False)
    torch.testing.assert_close(found, raw, rtol=1e-13, atol=0)
    assert (raw.sum(-1) < 1 - 1e-6).all()
    normalized = ensemble.exact_geometric_mean(skewed, 5, keep_prob, output="softmax", chunk=7)
    torch.testing.assert_close(normalized, raw / raw.sum(-1, keepdim=True), rtol=1e-13, atol=0)
    torch.testing.assert_close(
        ensemble.exact_geometric_mean(lambda table: skewed(table).softmax(-1), 5, keep_prob), normalized
    )


def test_two_members_as_the_book_counts_them() -> None:
    """Members (½, ½) and (¾, ¼) at p = ½: arithmetic (.625, .375), geometric (.612, .354), normalized (.634, .366)."""
    members = torch.tensor([[0.5, 0.5], [0.75, 0.25]], dtype=torch.float64)

    def function(table: Tensor) -> Tensor:
        return members[table[:, 0].long()]

    root = math.sqrt(3)
    assert ensemble.exact_mean(function, 1).tolist() == [0.625, 0.375]
    raw = ensemble.exact_geometric_mean(function, 1, normalize=False)
    torch.testing.assert_close(raw, torch.tensor([math.sqrt(6) / 4, math.sqrt(2) / 4], dtype=torch.float64))
    normalized = ensemble.exact_geometric_mean(function, 1)
    torch.testing.assert_close(normalized, torch.tensor([root / (1 + root), 1 / (1 + root)], dtype=torch.float64))


def test_a_binary_output_is_read_as_two_classes() -> None:
    def logit(table: Tensor) -> Tensor:
        return table @ torch.tensor([1.0, -2.0, 800.0], dtype=torch.float64) - 0.25

    def both(table: Tensor) -> Tensor:
        return torch.stack((logit(table), torch.zeros(len(table), dtype=torch.float64)), dim=1)

    for mean in (ensemble.exact_mean, ensemble.exact_geometric_mean):
        found = mean(logit, 3, 0.3, output="sigmoid")
        assert found.shape == ()
        torch.testing.assert_close(found, mean(both, 3, 0.3, output="softmax")[0], rtol=1e-13, atol=0)


def test_masks_of_probability_zero_are_no_members() -> None:
    """At keep probability 1 the member with nothing kept would give log 0, and 0 · log 0 is NaN."""
    found = ensemble.exact_geometric_mean(lambda table: torch.cat((table, 1 - table), dim=1), 1, 1.0, normalize=False)
    assert found.tolist() == [1.0, 0.0]
    assert ensemble.exact_mean(lambda table: 1 / table, 2, 1.0, chunk=1).tolist() == [1.0, 1.0]


def test_memory_is_bounded_by_the_chunk() -> None:
    """No call of the function gets more masks than asked for, and each mask is asked for once."""
    sizes, total = [], 0.0

    def function(table: Tensor) -> Tensor:
        nonlocal total
        sizes.append(len(table))
        total += float((table @ 2.0 ** torch.arange(12, dtype=torch.float64)).sum())
        return table[:, 0]

    assert float(ensemble.exact_mean(function, 12, 0.25, chunk=100)) == pytest.approx(0.25, abs=1e-14)
    assert max(sizes) == 100
    assert sum(sizes) == 2**12
    assert total == 2**12 * (2**12 - 1) / 2


def test_what_is_accumulated_carries_no_gradient() -> None:
    weight = torch.ones(3, dtype=torch.float64, requires_grad=True)
    assert not ensemble.exact_mean(lambda table: table @ weight, 3).requires_grad


@pytest.mark.parametrize("n", [25, 100, 5000])
def test_too_many_masks_are_refused_with_their_number_the_time_and_another_way(n: int) -> None:
    message = rf"2\^{n} masks \(about [0-9.]+e[0-9]+\).*would take about [0-9.e+]+ \w+s.*softmax_mean.*sigmoid_mean"
    with pytest.raises(ensemble.TooManyMasks, match=message):
        ensemble.exact_mean(lambda table: table[:, 0], n)
    with pytest.raises(ensemble.TooManyMasks, match="exact_mean"):
        ensemble.masks(n)


def test_the_time_of_a_refused_request_is_measured() -> None:
    """A function that counts its masks: the refusal costs a few hundred, and takes nothing from a later request."""
    seen = 0

    def function(table: Tensor) -> Tensor:
        nonlocal seen
        seen += len(table)
        return table[:, 0]

    with pytest.raises(ensemble.TooManyMasks, match="max_masks = 1000"):
        ensemble.exact_mean(function, 10, max_masks=1000)
    assert seen <= 512
    assert float(ensemble.exact_mean(function, 10, max_masks=1024)) == 0.5


@pytest.mark.parametrize("keep_prob", [-0.1, 1.1, math.nan, [0.5, 2.0]])
def test_probabilities_outside_the_unit_interval_are_refused(keep_prob: float | list[float]) -> None:
    with pytest.raises(ValueError, match=r"-0\.1|1\.1|nan|2\.0"):
        ensemble.masks(2, keep_prob)
    with pytest.raises(ValueError, match=r"-0\.1|1\.1|nan|2\.0"):
        ensemble.exact_mean(lambda table: table, 2, keep_prob)


def test_other_bad_requests_name_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="expected one keep_prob or 3"):
        ensemble.masks(3, [0.5, 0.5])
    with pytest.raises(TypeError, match="must be an integer, got float"):
        ensemble.masks(3.0)
    with pytest.raises(ValueError, match="at least 0, got -1"):
        ensemble.masks(-1)
    with pytest.raises(ValueError, match=r"one row a mask, \(4, …\); got \(\)"):
        ensemble.exact_mean(lambda table: table.sum(), 2)
    with pytest.raises(ValueError, match="got float"):
        ensemble.exact_mean(lambda table: 1.0, 2)
    with pytest.raises(ValueError, match="chunk must be at least 1"):
        ensemble.exact_mean(lambda table: table, 2, chunk=0)
    with pytest.raises(ValueError, match="output must be"):
        ensemble.exact_mean(lambda table: table, 2, output="logits")
    with pytest.raises(TypeError, match="function of masks takes the number of units"):
        ensemble.exact_mean(lambda table: table, torch.zeros(2))
    with pytest.raises(TypeError, match="expected a function of masks or a torch model, got int"):
        ensemble.exact_mean(3, 2)
    with pytest.raises(ValueError, match="two classes"):
        ensemble.exact_geometric_mean(lambda table: table[:, :1], 2)
    with pytest.raises(ValueError, match="negative number or NaN"):
        ensemble.exact_geometric_mean(lambda table: table - 0.5, 2)
    with pytest.raises(ValueError, match="every class has probability 0"):
        ensemble.exact_geometric_mean(lambda table: torch.cat((table, 1 - table), dim=1), 1)
