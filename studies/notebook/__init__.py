"""What a notebook calls: the commands as functions that return objects."""

from typing import TYPE_CHECKING

from primesvt.models.lazy import lazily

if TYPE_CHECKING:
    from .compare import Compared, compare
    from .evaluate import evaluate
    from .finetune import Tuned, finetune
    from .layers import Listed, layers
    from .measure import Measured, measure
    from .prune import Pruned, prune
    from .push import push
    from .repair import Repaired, repair
    from .robustness import Probed, robustness
    from .search import Searched, search
    from .train import Trained, train

__all__ = [
    "Compared",
    "Listed",
    "Measured",
    "Probed",
    "Pruned",
    "Repaired",
    "Searched",
    "Trained",
    "Tuned",
    "compare",
    "evaluate",
    "finetune",
    "layers",
    "measure",
    "prune",
    "push",
    "repair",
    "robustness",
    "search",
    "train",
]

lazily(__name__)
