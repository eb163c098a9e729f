"""The prioritized compression policy, as a pure function of what has been measured so far.

*PrimeSVT: An Automated Memory-aware Pruning Framework with Prioritized Compression Policy for Spiking Vision
Transformers*, arXiv:2606.03428:

1. sort the layers by their number of parameters, the largest first;
2. measure each layer alone at several rates; those that stand it become the targets;
3. go through the targets in that order, prune each as far as the constraints allow, keep it, go on.

Where the paper leaves freedom, and what is chosen here by default:

* *Which rates*: the tenths, 0.1 to 0.9 (``rates``).
* *The order of things*: a layer is probed when the pass comes to it, and a rate only when the larger ones have failed.
  Layers behind the end are never asked. With ``probe_first`` every layer is measured alone at every rate before the
  pass begins, as the paper does; what comes after, and the final plan, are the same. Either way each rate above the one
  kept needs a trial that refutes it, and the one kept needs two: alone and together. Together is asked first, as what
  a layer does not stand alone it rarely stands on top of others: a layer costs its refuted rates and one or two more.
* *What makes a layer a target*: alone, at one rate at least, it keeps the limit of accuracy, loosened or tightened by
  ``slack`` points.
* *How far the constraints allow*: the largest rate that the layer stood alone and that, together with all that is
  already pruned, keeps the limit of accuracy. Rates are tried from the largest down: the first that keeps the limit is
  the largest, also where accuracy does not fall evenly. A search by halves would need fewer trials and could miss it.
* *When to stop*: when the memory target is met, which is asked after every layer kept, or the targets are exhausted.
  Where there are limits beside, of bytes, operations or latency, they must be kept, too. With ``exhaust`` the pass goes
  on through all targets, to the limit of accuracy.

The policy's plan need not be the best of all the plans measured on the way. Among those of the pass whose last layer
stands its rate alone it is the one that prunes most. But a layer that is pruned later, or never because the memory
target was met before, may alone have saved more than the whole pass: the order is by parameters, not by bytes saved.

There is no hidden state: the same measurements lead to the same next step, in any process.

Several workers end with the plan of one, as it follows from what plans answer, and from nothing else. What one measures
while another measures the next step is a guess: the step that comes after it, if it keeps the limit or if it misses it,
and so on through all plans that run. The likeliest way is taken, to the first step that nobody takes. A layer alone
surely stands what it stood on top of others; any other plan keeps the limit as probably as those of several layers did
that are known. A guess that proves wrong was measured for nothing. Rates are tried from the largest down and most are
refuted, so what is guessed wrong is mostly the one that is kept, once a layer: on recorded answers two workers are 1.6
to 1.7 times as fast as one, and 1.9 to 2 times if they knew every answer (``docs/cluster.md``).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from heapq import heappop, heappush
from itertools import chain, count

from primesvt.models import PrimeSVTError
from primesvt.pruning import check_rates

Ratios = frozenset[tuple[str, float]]


@dataclass(frozen=True)
class Outcome:
    """What a measured plan means to the policy.

    Args:
        excess: Points by which the accuracy dropped beyond the limit; at most 0 where the limit is kept.
        small_enough: Whether the memory target is met, and all other limits but that of accuracy.
    """

    excess: float
    small_enough: bool


@dataclass(frozen=True)
class Step:
    """The next plan to measure.

    Args:
        phase: ``robustness`` for a layer alone, ``greedy`` for the pass over the targets.
        layer: The layer in question.
        ratios: The plan, layers with ratio 0 left out.
    """

    phase: str
    layer: str
    ratios: Mapping[str, float]


@dataclass(frozen=True)
class Finished:
    """The pass is over.

    Args:
        ratios: The policy's plan; empty where no layer could be pruned.
    """

    ratios: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class PrioritizedPolicy:
    """The policy and its parameters; see the module's documentation.

    Args:
        layers: Names, the largest layer first.
        rates: Ratios to try, ascending.
        slack: Points beyond the limit of accuracy that a target may lose alone.
        exhaust: Go on to the limit of accuracy after the memory target is met.
        probe_first: Measure every layer alone at every rate before the pass begins.

    Raises:
        PrimeSVTError: A value makes no sense.
    """

    layers: tuple[str, ...]
    rates: tuple[float, ...]
    slack: float = 0.0
    exhaust: bool = False
    probe_first: bool = False

    def __post_init__(self) -> None:
        if not self.layers or len(set(self.layers)) < len(self.layers):
            raise PrimeSVTError(f"The policy needs layers, each once; got {list(self.layers)}.")
        if check_rates(self.rates) != self.rates:
            raise PrimeSVTError(f"Rates must be ascending, each once; got {list(self.rates)}.")
        if not math.isfinite(self.slack):
            raise PrimeSVTError(f"slack is in percentage points, got {self.slack}.")

    @cached_property
    def _probes(self) -> Mapping[Ratios, Step]:
        steps = (Step("robustness", layer, {layer: rate}) for layer in self.layers for rate in self.rates)
        return {ratios(step.ratios): step for step in steps}

    @property
    def probes(self) -> int:
        """Trials that measuring the robustness of all layers takes."""
        return len(self.layers) * len(self.rates)

    @property
    def most_trials(self) -> int:
        """Trials that the whole policy takes at most: every rate of every layer, alone and in the pass."""
        return 2 * self.probes

    def next(
        self, measured: Mapping[Ratios, Outcome], is_running: Callable[[Ratios], bool] = lambda _: False
    ) -> Step | Finished:
        """The first step whose result is not known yet, or the end.

        Args:
            measured: What is known.
            is_running: Whether another worker measures a plan right now: instead of that one the likeliest guess is
                taken, see the module's documentation, or it is waited for.
        """
        probe = self._probe(measured, is_running) if self.probe_first else None
        step = probe or self._pass(measured)
        if probe or isinstance(step, Finished) or not is_running(ratios(step.ratios)):
            return step
        return self._guess(measured, is_running) or step

    def _probe(self, measured: Mapping[Ratios, Outcome], is_running: Callable[[Ratios], bool]) -> Step | None:
        missing = (key for key in self._probes if key not in measured)
        first = next(missing, None)
        if first is None:
            return None
        free = (key for key in chain([first], missing) if not is_running(key))
        return self._probes[next(free, first)]

    def _pass(self, measured: Mapping[Ratios, Outcome]) -> Step | Finished:
        kept: dict[str, float] = {}
        for layer in self.layers:
            for rate in reversed(self.rates):
                stands = self._stands(measured, kept, layer, rate)
                if isinstance(stands, Step):
                    return stands
                if stands:
                    kept = {**kept, layer: rate}
                    if measured[ratios(kept)].small_enough and not self.exhaust:
                        return Finished(kept)
                    break
        return Finished(kept)

    def _stands(
        self, measured: Mapping[Ratios, Outcome], kept: Mapping[str, float], layer: str, rate: float
    ) -> Step | bool:
        """Whether a layer stands a rate, or what must be measured before that is known."""
        together = Step("greedy" if kept else "robustness", layer, {**kept, layer: rate})
        alone = Step("robustness", layer, {layer: rate})
        missing = None
        for step, limit in ((together, 0.0), (alone, self.slack)):
            outcome = measured.get(ratios(step.ratios))
            if outcome is None:
                missing = missing or step
            elif outcome.excess > limit:
                return False
        return missing or True

    def _guess(self, measured: Mapping[Ratios, Outcome], is_running: Callable[[Ratios], bool]) -> Step | None:
        """The likeliest of the steps that nobody takes and that may come after those that run; None where none does.

        A plan of several layers is reached by one way, a layer alone by some: the ways that are looked at stay a small
        multiple of the plans that run.
        """
        ways: list[tuple[float, int, Mapping[Ratios, Outcome]]] = [(-1.0, 0, measured)]
        turn = count(1)  # of equally likely ways that of the plan that misses first
        while ways:
            likelihood, _, known = heappop(ways)
            step = self._pass(known)
            if isinstance(step, Finished):
                continue
            key = ratios(step.ratios)
            if not is_running(key):
                return step
            chance = _chance(known, key)
            for share, excess in ((1 - chance, math.inf), (chance, -math.inf)):
                if share > 0:
                    heappush(ways, (likelihood * share, next(turn), {**known, key: Outcome(excess, False)}))
        return None


def _chance(known: Mapping[Ratios, Outcome], plan: Ratios) -> float:
    """How probably a plan keeps the limit of accuracy: surely where one that prunes more did, else as others did.

    Their share is the estimator of Krichevsky and Trofimov, 1981: half a plan that kept the limit and half a one that
    missed it are added, so that it says something of the first plan, too.
    """
    if any(plan < other and outcome.excess <= 0 for other, outcome in known.items()):
        return 1.0
    others = [outcome.excess <= 0 for other, outcome in known.items() if len(other) > 1]
    return (sum(others) + 0.5) / (len(others) + 1)


def ratios(plan: Mapping[str, float]) -> Ratios:
    """A plan as a key: rounded, without the layers that stay as they are."""
    return frozenset((layer, round(float(ratio), 6)) for layer, ratio in plan.items() if ratio > 0)
