"""The figures of a report, as plotly figures: one a file."""

from ..chosen import best_of_samplers
from .effort import effort
from .fronts import fronts
from .further import further
from .layers import layers
from .robustness import robustness
from .style import colours

__all__ = ["best_of_samplers", "colours", "effort", "fronts", "further", "layers", "robustness"]
