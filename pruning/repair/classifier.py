"""The classifier as one more reader, its ridge chosen by leaving out one image at a time.

It has a row per image where other layers have thousands, so how far it may follow them has to be found: every image is
predicted by the fit to the others, in closed form (D. M. Allen, *The Relationship between Variable Selection and Data
Augmentation and a Method for Prediction*, Technometrics 16, 1974), and the ridge with the smallest divergence of those
predictions from the original's is taken. To change nothing but the intercept is one of the choices.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch

from .divergence import divergence

# Half decades, relative to the mean variance of the inputs. The first of the best is taken: of equals, no change.
_RIDGES = (math.inf, *(10 ** (k / 2) for k in range(4, -17, -1)))


def classifier_change(inputs: torch.Tensor, answers: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Change of the weight, float64 ``[C, d]``; that of the bias has to make the means agree.

    Args:
        inputs: What the classifier reads of every image, ``[N, d]``.
        answers: Its logits ``[N, C]``.
        wanted: The original's.
    """
    regression, missing, wanted = Regression.of(inputs), (wanted - answers).double(), wanted.double()
    unit = float(regression.scales.square().sum()) / inputs.shape[1]
    errors = {ridge: divergence(wanted, wanted - regression.left_out(missing, ridge * unit)) for ridge in _RIDGES}
    return regression.weight(missing, min(errors, key=errors.__getitem__) * unit)


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
