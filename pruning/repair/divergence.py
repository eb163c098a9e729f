"""How far a version's answers are from the original's: the error that every repair and every plan is measured by."""

import math

import torch


def divergence(original: torch.Tensor, version: torch.Tensor, weights: torch.Tensor | None = None) -> float:
    """Mean Kullback-Leibler divergence of the version's classes from the original's, in nats; NaN where a logit is.

    Args:
        original: Logits ``[N, classes]``.
        version: Logits ``[N, classes]``.
        weights: What each image counts, float64 ``[N]``; None is all alike.
    """
    truth, guess = (logits.double().log_softmax(1) for logits in (original, version))
    each = (truth.exp() * (truth - guess)).sum(1)
    # Summed exactly, so that the order in which the images were asked does not show.
    if not bool(each.isfinite().all()):
        return float(each.mean())
    if weights is None:
        return math.fsum(each.tolist()) / len(each)
    return math.fsum((each * weights).tolist()) / math.fsum(weights.tolist())
