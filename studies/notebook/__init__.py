"""What a notebook calls: the commands as functions that return objects."""

from .compare import Compared, compare
from .evaluate import evaluate
from .finetune import Tuned, finetune
from .prune import Pruned, prune
from .push import push
from .robustness import Probed, robustness
from .search import Searched, search

__all__ = [
    "Compared",
    "Probed",
    "Pruned",
    "Searched",
    "Tuned",
    "compare",
    "evaluate",
    "finetune",
    "prune",
    "push",
    "robustness",
    "search",
]
