"""How long a pruned model takes in ONNX Runtime, told from a table of its operators' times at some widths.

P. Molchanov et al., *HALP: Hardware-Aware Latency Pruning*, arXiv:2110.10811, look a layer's latency up by the channels
that it reads and writes. So does this; deviations: a stretch of the exported graph stands for a layer (a convolution
with all that follows it up to the next, neurons included), widths between those measured are interpolated, and what the
stretches do not say is fitted to a few whole models.
"""

from typing import TYPE_CHECKING

from primesvt.models.lazy import lazily

if TYPE_CHECKING:
    from .building import build_table
    from .kept_table import machine_name, table_for
    from .stopwatch import Stopwatch, in_turn
    from .table import LatencyTable

__all__ = ["LatencyTable", "Stopwatch", "build_table", "in_turn", "machine_name", "table_for"]

lazily(__name__)
