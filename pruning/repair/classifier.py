"""The classifier as one more reader, fitted to the logits, then to the classes that they say.

It has a row per image where other layers have thousands, so how far it may follow them has to be found. Two fits:

* *Ridge*: every image is predicted by the fit to the others, in closed form (D. M. Allen, *The Relationship between
  Variable Selection and Data Augmentation and a Method for Prediction*, Technometrics 16, 1974), and the ridge with the
  smallest divergence of those predictions from the original's is taken. To change nothing but the intercept is one of
  the choices.
* *Softmax*: from there to the smallest divergence itself, which is convex: logits that are far below the largest may
  err. It is taken where it predicts images better that it was not fitted to.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax

from .divergence import divergence

# Half decades, relative to the mean variance of the inputs. The first of the best is taken: of equals, no change.
_RIDGES = (math.inf, *(10 ** (k / 2) for k in range(4, -17, -1)))
# Of the softmax fit, by the number of images, relative to the mean variance of the inputs: that of 1,024 images on the
# demo model, where a third of it and three times as much are as good.
_SOFT_RIDGE_PER_IMAGE = 10.0
_FOLDS = 5
# Fewer images say nothing about others.
_FEWEST = 8 * _FOLDS


@dataclass(frozen=True)
class Change:
    """Of a classifier.

    Args:
        weight: Added to its weight, float64 ``[C, d]``.
        bias: Added to its bias, float64 ``[C]``.
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """By how much logits change, ``[N, C]``, for inputs ``[N, d]``."""
        return inputs.double() @ self.weight.T + self.bias


def classifier_change(inputs: torch.Tensor, answers: torch.Tensor, wanted: torch.Tensor) -> Change:
    """What makes a classifier's answers most like the original's.

    Args:
        inputs: What the classifier reads of every image, ``[N, d]``.
        answers: Its logits ``[N, C]``.
        wanted: The original's.
    """
    inputs, answers, wanted = inputs.double(), answers.double(), wanted.double()
    linear = _ridge(inputs, answers, wanted)
    if len(inputs) < _FEWEST:
        return linear
    fold = torch.arange(len(inputs), device=inputs.device) % _FOLDS
    kept, soft = 0.0, 0.0
    for part in range(_FOLDS):
        seen, rest = fold != part, fold == part
        first = _ridge(inputs[seen], answers[seen], wanted[seen])
        then = _softmax(first, inputs[seen], answers[seen], wanted[seen])
        kept, soft = (
            error + divergence(wanted[rest], answers[rest] + change(inputs[rest]))
            for error, change in ((kept, first), (soft, then))
        )
    return _softmax(linear, inputs, answers, wanted) if soft < kept else linear


def _ridge(inputs: torch.Tensor, answers: torch.Tensor, wanted: torch.Tensor) -> Change:
    regression, missing = Regression.of(inputs), wanted - answers
    unit = float(regression.scales.square().sum()) / inputs.shape[1]
    errors = {ridge: divergence(wanted, wanted - regression.left_out(missing, ridge * unit)) for ridge in _RIDGES}
    weight = regression.weight(missing, min(errors, key=errors.__getitem__) * unit)
    return Change(weight, missing.mean(0) - weight @ inputs.mean(0))


def _softmax(start: Change, inputs: torch.Tensor, answers: torch.Tensor, wanted: torch.Tensor) -> Change:
    """The change of the least divergence, with a ridge that draws towards ``start``."""
    middle = inputs.mean(0)
    read = (inputs - middle).numpy(force=True)
    begun, truth = (each.numpy(force=True) for each in (answers + start(inputs), wanted.softmax(1)))
    ridge = _SOFT_RIDGE_PER_IMAGE / len(read) * float(np.square(read).mean())
    shape = read.shape[1] + 1, begun.shape[1]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        """Of the weight ``[d, C]`` and, as its last row, the bias; and its gradient."""
        weight, bias = np.split(flat.reshape(shape), [-1])
        guess = log_softmax(begun + read @ weight + bias, axis=1)
        off = (np.exp(guess) - truth) / len(read)
        value = ridge * np.square(weight).sum() - (truth * guess).sum() / len(read)
        return value, np.concatenate([2 * ridge * weight + read.T @ off, off.sum(0, keepdims=True)]).ravel()

    nothing = np.zeros(shape).ravel()
    found = minimize(loss, nothing, jac=True, method="L-BFGS-B", options={"maxiter": 100, "ftol": 1e-12, "gtol": 1e-7})
    more, bias = torch.from_numpy(found.x.reshape(shape)).to(inputs.device).split([shape[0] - 1, 1])
    return Change(start.weight + more.T, start.bias + bias[0] - middle @ more)


@dataclass(frozen=True)
class Regression:
    """Ridge regression with a free intercept, for many penalties: by singular values of the centred inputs.

    Args:
        left: ``[N, k]``.
        scales: Singular values above 0, ``[k]``.
        right: ``[k, d]``.
    """

    left: torch.Tensor
    scales: torch.Tensor
    right: torch.Tensor

    @classmethod
    def of(cls, inputs: torch.Tensor) -> Self:
        """From inputs ``[N, d]``."""
        left, scales, right = torch.linalg.svd((inputs - inputs.mean(0)).double(), full_matrices=False)
        real = scales > max(inputs.shape) * torch.finfo(inputs.dtype).eps * scales.max()
        return cls(left[:, real], scales[real], right[real])

    def weight(self, outputs: torch.Tensor, penalty: float) -> torch.Tensor:
        """The weight ``[C, d]`` for ``outputs [N, C]``, where its squared norm is penalized."""
        gain = self._shrinking(penalty) / self.scales
        return (self.right.T @ (gain.unsqueeze(1) * (self.left.T @ outputs))).T

    def left_out(self, outputs: torch.Tensor, penalty: float) -> torch.Tensor:
        """What the fit to all other images misses of the outputs of every image, ``[N, C]``."""
        centred, shrinking = outputs - outputs.mean(0), self._shrinking(penalty)
        residual = centred - self.left @ (shrinking.unsqueeze(1) * (self.left.T @ centred))
        leverage = 1 / len(outputs) + self.left.square() @ shrinking
        return residual / (1 - leverage).clamp_min(torch.finfo(torch.float64).eps).unsqueeze(1)

    def _shrinking(self, penalty: float) -> torch.Tensor:
        return self.scales.square() / (self.scales.square() + penalty)
