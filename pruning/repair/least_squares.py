"""Least squares: the weights that best give the original's outputs from what the pruned model has left.

This is the compensation of optimal brain surgeon (B. Hassibi and D. G. Stork, NIPS 1992) for whole channels, solved
layer by layer on what each layer really reads: E. Frantar, S. P. Singh and D. Alistarh, *Optimal Brain Compression*,
NeurIPS 2022, arXiv:2208.11580; E. Kurtic, E. Frantar and D. Alistarh, *ZipLM*, NeurIPS 2023, arXiv:2302.04089.

Deviations:

* Changes of the weights are fitted, not the weights, so a ridge draws towards what was trained.
* Layers that add potentials into a residual stream aim at the original's stream, not at their own output.
* Every filter is then scaled so that its output varies as the original's does, by a factor of 0.5 to 2: a neuron
  after it fires by its deviation, and a fit has less of it than what it is fitted to.
* Query and key of a matrix product, and all that is added as spikes, aim at their own outputs in the original: a
  product or a neuron stands between them and what reads them, and nothing linear can make up for their lost channels.
* The classifier is fitted as the last reader, with a ridge found by leaving out images, and then to the classes that
  the original's logits say.

Tried, and left out, as it did not pay (divergence on 1,000 selection images, 256 calibration images; the demo model at
79.1 and 90.0 % saved, then a Spikformer at 65.1 and 83.1 %): as here 0.046, 0.160; 0.553, 0.093. Inputs and outputs
integrated over time as the neuron behind does it, so that errors of its potential count (arXiv:2506.03996): 0.046,
0.147; 0.540, 0.096. For 3x3 filters the covariance of channels alone, removed channels being said by the others at the
same pixel: 0.046, 0.166; 0.746, 0.094.

Nor did these (2,000 selection images; the demo model at 65.5, 82.7 % saved alike in all layers and at 87.1 % by a
search). With 256 images, as here 0.235, 0.499; rows weighted by how much the original's answers depend on them (squared
gradients): 0.466, 0.783. With 512, as here 0.235, 0.464, 0.078; then gradient steps on all scales and biases of
BatchNorm towards the original's answers on the same images, five epochs: 0.232, 0.456, 0.084. A second sweep is left
out by :func:`~primesvt.pruning.repair.run_repair`, as it leaves the model further from the original.
"""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import nn

from ..kept import Kept
from .reference import Reference
from .ridge import ridge_change
from .step import NewTensors
from .sweep import Sweep


@dataclass(frozen=True)
class LeastSquares:
    """The step.

    Args:
        ridge: By how much of the mean variance of a layer's inputs their Gram matrix is regularized.
    """

    name: ClassVar[str] = "least-squares"

    ridge: float = 1e-3

    def repair(self, reference: Reference, pruned: nn.Module, kept: Kept) -> NewTensors:
        """Weights, and biases of BatchNorm, of all layers in their order."""
        return Sweep(reference, pruned, kept, partial(ridge_change, ridge=self.ridge)).repaired()
