"""Energy of one image's operations, by the convention of the field: so much for each of them, and nothing else.

A multiplication with an addition takes 4.6 pJ and an addition 0.9 pJ, in float32 on a 45 nm process (M. Horowitz,
*Computing's Energy Problem (and what we can do about it)*, ISSCC 2014: 3.7 pJ and 0.9 pJ), as Spikformer, the
Spike-driven Transformer and their successors have it. Memory, which takes more on most devices, is not in it.
"""

from dataclasses import dataclass

from torch import nn

from primesvt.models import Work
from primesvt.models.options import check_options, option

from .measure import Measure
from .units import Units

UNITS = Units({"J": 1e6, "mJ": 1e3, "uJ": 1, "µJ": 1, "nJ": 1e-3}, "8 or 8uJ")


@dataclass(frozen=True, kw_only=True)
class OperationEnergy:
    """What an operation takes.

    Raises:
        PrimeSVTError: A value makes no sense.
    """

    mac_pj: float = option(4.6, help="energy of a multiplication with an addition", metavar="PJ", least=0)
    ac_pj: float = option(0.9, help="energy of an addition, such as a synaptic operation", metavar="PJ", least=0)

    def __post_init__(self) -> None:
        check_options(self)

    def of(self, work: Work) -> float:
        """Energy of the work, in microjoules."""
        return (self.mac_pj * work.macs + self.ac_pj * work.synops) / 1e6

    @property
    def text(self) -> str:
        """The constants, for a person."""
        return f"{self.mac_pj:g} pJ a multiply-accumulate, {self.ac_pj:g} pJ an addition"

    @property
    def measure(self) -> Measure:
        """Energy by these constants as a measure."""
        return Measure(
            name="energy", label="energy", unit="µJ", of_work=self.of, digits=3, units=UNITS, note=self._note
        )

    def _note(self, _model: nn.Module, _work: Work) -> str:
        return self.text


ENERGY = OperationEnergy().measure
