"""The classifier's fit: leaving out images in closed form is leaving them out, and classes are what counts."""

import torch

from primesvt.pruning.repair.classifier import Regression, _ridge, classifier_change
from primesvt.pruning.repair.divergence import divergence


def _noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_residuals_are_those_of_the_fits_to_the_other_images() -> None:
    inputs, missing, penalty = _noise(0, 12, 4), _noise(1, 12, 3), 2.5
    found = Regression.of(inputs).left_out(missing, penalty)
    for i in range(12):
        others = torch.arange(12) != i
        x, y = inputs[others], missing[others]
        # The intercept is not penalized.
        x = torch.cat([x, torch.ones(11, 1)], 1)
        ridge = penalty * torch.diag(torch.tensor([1.0, 1, 1, 1, 0]).double())
        weight = torch.linalg.solve(x.T @ x + ridge, x.T @ y)
        expected = missing[i] - torch.cat([inputs[i], torch.ones(1)]) @ weight
        torch.testing.assert_close(found[i], expected)


def test_what_can_be_said_exactly_is() -> None:
    inputs, wanted = _noise(0, 60, 5), _noise(1, 3, 5)
    change = classifier_change(inputs, torch.zeros(60, 3), inputs @ wanted.T + 2)
    torch.testing.assert_close(change.weight, wanted, atol=1e-6, rtol=0)
    torch.testing.assert_close(change.bias, torch.full((3,), 2.0).double(), atol=1e-6, rtol=0)


def test_noise_is_hardly_followed() -> None:
    inputs, answers = _noise(0, 30, 40), 5 * _noise(1, 30, 3)
    change = classifier_change(inputs, answers, answers + 0.1 * _noise(2, 30, 3))
    assert float((inputs @ change.weight.T).std()) < 0.03


def test_one_image_changes_nothing_but_the_intercept() -> None:
    change = classifier_change(_noise(0, 1, 4), _noise(1, 1, 3), _noise(2, 1, 3))
    assert not change.weight.any()
    assert change.bias.any()


def test_classes_count_more_than_logits_far_below_the_largest() -> None:
    """What no weight can say of a hopeless class does not spoil what can be said of the others."""
    inputs, weight = _noise(0, 400, 4), 2 * _noise(1, 3, 4)
    wanted = inputs @ weight.T
    # Of the class that is never told, the logits are no linear function of the inputs.
    wanted[:, 2] = -12 - 6 * inputs[:, 0].square() * inputs[:, 1].sign()
    wanted[:, 1] += 0.4 * wanted[:, 2].clamp(-40, 0) * (inputs[:, 2] > 1)
    zeros, half = torch.zeros(200, 3).double(), slice(200)
    soft = classifier_change(inputs[half], zeros, wanted[half])
    linear = _ridge(inputs[half], zeros, wanted[half])
    rest = slice(200, 400)
    assert divergence(wanted[rest], soft(inputs[rest])) < 0.8 * divergence(wanted[rest], linear(inputs[rest]))


def test_a_fit_that_predicts_no_better_is_not_taken() -> None:
    inputs, answers = _noise(0, 50, 45), 5 * _noise(1, 50, 3)
    wanted = answers + _noise(2, 50, 3)
    found, linear = classifier_change(inputs, answers, wanted), _ridge(inputs, answers, wanted)
    assert torch.equal(found.weight, linear.weight)
    assert torch.equal(found.bias, linear.bias)
