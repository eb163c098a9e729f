"""How robust each layer is: the accuracy when it alone is pruned, at several rates (paper, step 2)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from primesvt.models import PrimeSVTError

from .plan import DEFAULT_CRITERION, PruningPlan

# The paper measures at several rates without naming them; these are all the multiples of a tenth.
DEFAULT_RATES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Robustness:
    """Accuracies of a model with one layer pruned.

    Args:
        accuracy: Of the model as it is.
        layers: Layer to rate to accuracy.
        estimated: Layer and rate of the accuracies that come from a few of the images only.
    """

    accuracy: float
    layers: Mapping[str, Mapping[float, float]]
    estimated: frozenset[tuple[str, float]] = frozenset()

    def to_json(self) -> dict[str, Any]:
        """Plain data: ``{"accuracy": ..., "layers": {layer: {rate: accuracy}}}``.

        Where some are estimated, ``"estimated": {layer: [rate, ...]}`` says which.
        """
        data: dict[str, Any] = {
            "accuracy": self.accuracy,
            "layers": {layer: {str(rate): value for rate, value in row.items()} for layer, row in self.layers.items()},
        }
        if self.estimated:
            data["estimated"] = {
                layer: rates
                for layer, row in self.layers.items()
                if (rates := [str(rate) for rate in row if (layer, rate) in self.estimated])
            }
        return data


def check_rates(rates: Sequence[float]) -> tuple[float, ...]:
    """Rates in ascending order, each once.

    Raises:
        PrimeSVTError: There is none, or one is not between 0 and 1.
    """
    if not rates or not all(0 < rate < 1 for rate in rates):
        raise PrimeSVTError(f"Rates must be above 0 and below 1, such as 0.1,0.5,0.9; got {list(rates)}.")
    return tuple(sorted(set(rates)))


def probes(
    layers: Sequence[str], rates: Sequence[float], criterion: str = DEFAULT_CRITERION, multiple: int = 1
) -> Iterator[tuple[str, float, PruningPlan]]:
    """Every layer alone at every rate, layer by layer, from the lowest rate up."""
    for layer in layers:
        for rate in rates:
            yield layer, rate, PruningPlan({layer: rate}, criterion, multiple=multiple)


def measure_robustness(
    layers: Sequence[str],
    rates: Sequence[float],
    accuracy: Callable[[PruningPlan], float],
    *,
    criterion: str = DEFAULT_CRITERION,
    multiple: int = 1,
) -> Robustness:
    """Measure every layer at every rate.

    Args:
        layers: Names of the layers.
        rates: Ratios at which each is pruned alone.
        accuracy: Measures the accuracy under a plan.
        criterion: Which channels go first.
        multiple: Of the plans, see :class:`~primesvt.pruning.PruningPlan`.
    """
    table: dict[str, dict[float, float]] = {layer: {} for layer in layers}
    base = accuracy(PruningPlan({}, criterion))
    for layer, rate, plan in probes(layers, rates, criterion, multiple):
        table[layer][rate] = accuracy(plan)
    return Robustness(base, table)
