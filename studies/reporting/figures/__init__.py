"""The figures of a report, as plotly figures: one a file."""

from .effort import effort
from .fronts import fronts
from .further import further
from .layers import layers
from .robustness import robustness
from .style import colours

__all__ = ["colours", "effort", "fronts", "further", "layers", "robustness"]
