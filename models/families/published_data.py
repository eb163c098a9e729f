"""What the published models of all families share: data sets with their normalisation, and the numbers of classes.

ImageNet's mean and standard deviation are those of ``torchvision`` and timm; CIFAR's stand in the official training
configurations (ZK-Zhou/spikformer, ``cifar10/cifar10.yml``; BICLab/Spike-Driven-Transformer, ``conf/cifar10``).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def _data_set(size: int, classes: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Mapping[str, Any]:
    return MappingProxyType(
        {
            "in_channels": 3,
            "image_size": (size, size),
            "classes": tuple(map(str, range(classes))),
            "mean": mean,
            "std": std,
            "time_steps": 4,
        }
    )


IMAGENET = _data_set(224, 1000, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CIFAR10 = _data_set(32, 10, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))
CIFAR100 = _data_set(32, 100, (0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761))
