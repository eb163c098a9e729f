"""The contract of a family, as tests that anybody subclasses with one fixture: :class:`FamilyContract`.

What it asks is in three files: what is declared, what is answered, and what pruning leaves. All equalities are tested
in float64: in float32 a potential within rounding of the threshold may flip a spike, which is no error of anybody's.

Needs pytest and hypothesis: ``pip install 'primesvt[test]'``.
"""

from .contract import FamilyContract
from .lively import SETTINGS, difference, lively_model, plans, random_images

# As earlier versions call them; calibration images have nothing to do with it.
calibrated, _SETTINGS = lively_model, SETTINGS

__all__ = ["SETTINGS", "FamilyContract", "calibrated", "difference", "lively_model", "plans", "random_images"]
