"""The classifier's fit: leaving out images in closed form is leaving them out."""

import torch

from primesvt.pruning.repair.classifier import Regression, classifier_change


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
    change = classifier_change(inputs, torch.zeros(60, 3), inputs @ wanted.T)
    torch.testing.assert_close(change, wanted, atol=1e-6, rtol=0)


def test_noise_is_hardly_followed() -> None:
    inputs, answers = _noise(0, 30, 40), 5 * _noise(1, 30, 3)
    change = classifier_change(inputs, answers, answers + 0.1 * _noise(2, 30, 3))
    assert float((inputs @ change.T).std()) < 0.03


def test_one_image_changes_nothing_but_the_intercept() -> None:
    assert not classifier_change(_noise(0, 1, 4), _noise(1, 1, 3), _noise(2, 1, 3)).any()
