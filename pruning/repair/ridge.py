"""Ridge regression of what a layer's output lacks on what the layer reads.

The solution of (U'U / n + r I) D' = U'E / n is shrunk by the ridge where U varies little, which is wanted, and a
little where it varies much, which is not: what is left is solved for again with the same factorization (iterated
Tikhonov regularization: J. T. King and D. Chillingworth, *Approximation of generalized inverses by iterated
regularization*, Numerical Functional Analysis and Optimization 1, 1979). Three rounds leave (r / (g + r))^3 of a
direction of variance g.

Where the inputs say exactly what is missing, as after removing a copy of a channel, the ridge is next to nothing: then
no noise is there to be amplified.
"""

import torch

_ROUNDS = 3
# Relative to the mean variance of the inputs: just enough to factorize a singular matrix.
_NO_RIDGE = 1e-9
# Of the variance of what is missing; in float32, as on a GPU, sums of thousands of rows are known to about this.
_EXACT = 1e-6
# Fewer rows per input can be met exactly by chance.
_ROWS_PER_INPUT = 4


def ridge_change(inputs: torch.Tensor, missing: torch.Tensor, ridge: float) -> torch.Tensor | None:
    """Change of the weights that best makes up for what is missing, float64 ``[G, C, d]``; None where nothing can.

    Args:
        inputs: U, ``[G, R, d]``, for each of G independent groups of filters.
        missing: E, ``[G, R, C]``.
        ridge: r as a fraction of the mean variance of the inputs of a group.
    """
    count, size = inputs.shape[1:]
    centred, lacking = (x - x.mean(1, keepdim=True) for x in (inputs, missing))
    gram = (centred.mT @ centred).double() / count
    product = (centred.mT @ lacking).double() / count
    total = lacking.double().square().mean(1).sum()
    if count >= _ROWS_PER_INPUT * size:
        change = _solved(gram, product, _NO_RIDGE, 1)
        if change is not None and total - (change * (2 * product - gram @ change)).sum() < _EXACT * total:
            return change.mT
    change = _solved(gram, product, ridge, _ROUNDS)
    return None if change is None else change.mT


def _solved(gram: torch.Tensor, product: torch.Tensor, ridge: float, rounds: int) -> torch.Tensor | None:
    """The solution ``[G, d, C]`` for ``gram [G, d, d]`` and ``product [G, d, C]``; None where there is none."""
    variance = gram.diagonal(dim1=1, dim2=2).mean(1)
    # A group whose inputs are constant changes nothing, whatever its ridge: its product is zero.
    added = torch.where(variance > 0, ridge * variance, 1.0)
    regular = gram + added.view(-1, 1, 1) * torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    factor, failed = torch.linalg.cholesky_ex(regular)
    if bool(failed.any()):
        return None
    change = torch.zeros_like(product)
    for _ in range(rounds):
        change += torch.cholesky_solve(product - gram @ change, factor)
    return change if bool(change.isfinite().all()) else None
