"""How far a version's answers are from the original's: the error that every repair and every plan is measured by."""

import math

import torch


def divergence(original: torch.Tensor, version: torch.Tensor) -> float:
    """Mean Kullback-Leibler divergence of the version's classes from the original's, in nats; NaN where a logit is.

    Args:
        original: Logits ``[N, classes]``.
        version: Logits ``[N, classes]``.
    """
    truth, guess = (logits.double().log_softmax(1) for logits in (original, version))
    each = (truth.exp() * (truth - guess)).sum(1)
    # Summed exactly, so that the order in which the images were asked does not show.
    return math.fsum(each.tolist()) / len(each) if bool(each.isfinite().all()) else float(each.mean())
