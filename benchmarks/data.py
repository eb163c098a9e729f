"""How fast image files are read for a model, against torchvision's ``ImageFolder`` with a ``DataLoader``, in one run.

JPEGs of 500x375 pixels, made here, are brought to 224x224 as ImageNet is evaluated: shorter side to 256, bicubic, the
middle cut out, normalised. Both give the same numbers, bit for bit, which is checked. Ways:

* ``ours``: threads of this process, ahead of the model;
* ``processes``: the same decoding in as many workers of PyTorch's ``DataLoader``;
* ``torchvision``: ``ImageFolder``, its transforms, and a ``DataLoader`` with as many workers.

Ways take turns; times are medians. Each is also read by a stand-in for a model on another device, which takes 1 ms per
image and no core: reading is no bottleneck where that takes 1 ms per image in all. The *limit* is what Pillow needs to
decode and scale, nothing else, shared by all cores: no way that has Pillow's pixels can be faster.

    python benchmarks/data.py [--quick] [--images N] [--workers N] [--json FILE] [--keep]
"""

import argparse
import dataclasses
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from kept import add_options, machine, settle
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from primesvt.models import ImageSet, ModelConfig, named_config, open_data
from primesvt.models.data.read_ahead import DecodedSource, ReadAhead, cores

IMAGES, QUICK, ROUNDS, CLASSES, BATCH = 4_000, 200, 3, 10, 64
HEIGHT, WIDTH, SIDE, CROP = 375, 500, 224, 0.875
MODEL_SECONDS = 0.001
Way = Callable[[], Iterator[torch.Tensor]]


def make(folder: Path, count: int) -> None:
    """Photograph-like JPEGs: smooth colours and some noise, by turns in ten classes; about 50 kB each."""
    rng = np.random.default_rng(0)
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(np.int16)
        noisy = np.clip(smooth + rng.integers(-10, 11, smooth.shape, dtype=np.int16), 0, 255).astype(np.uint8)
        place = folder / "val" / str(i % CLASSES)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noisy).save(place / f"{i:05}.jpg", quality=90)


def source_of(images: ImageSet) -> DecodedSource:
    """Where image files come from."""
    if not isinstance(images.source, DecodedSource):
        raise SystemExit("These are no image files.")
    return images.source


class Batches(torch.utils.data.Dataset[torch.Tensor]):
    """Batches of an image set, each decoded as PrimeSVT does, by one worker."""

    def __init__(self, images: ImageSet, config: ModelConfig) -> None:
        self.images, self.config = images, config
        self.source = source_of(images)

    def __len__(self) -> int:
        return -(-len(self.images) // BATCH)

    def __getitem__(self, number: int) -> torch.Tensor:
        indices = self.images.indices[number * BATCH : (number + 1) * BATCH]
        with ReadAhead(self.source, self.config, [], 1) as reader:
            return reader.read(indices)


def ways(folder: Path, images: ImageSet, config: ModelConfig, workers: int) -> dict[str, Way]:
    """All ways to read the images."""
    parts = [images.indices[start : start + BATCH] for start in range(0, len(images), BATCH)]
    transform = transforms.Compose(
        [
            transforms.Resize(int(SIDE / CROP), transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(SIDE),
            transforms.ToTensor(),
            transforms.Normalize(config.mean, config.std),
        ]
    )
    tree = datasets.ImageFolder(folder / "val", transform)

    def ours() -> Iterator[torch.Tensor]:
        with ReadAhead(source_of(images), config, parts, workers) as ahead:
            yield from map(ahead.read, parts)

    def torchvision() -> Iterator[torch.Tensor]:
        for batch, _ in DataLoader(tree, BATCH, num_workers=workers):
            yield batch

    check(tree, images, config)
    return {
        "ours": ours,
        "processes": lambda: iter(DataLoader(Batches(images, config), None, num_workers=workers)),
        "torchvision": torchvision,
    }


def check(tree: datasets.ImageFolder, images: ImageSet, config: ModelConfig) -> None:
    """Both read the same numbers."""
    indices = images.indices[:BATCH]
    read, _ = images.read(config, indices)
    if not torch.equal(read, torch.stack([tree[int(index)][0] for index in indices])):
        raise SystemExit("The images are not those of torchvision.")


def seconds(way: Way, count: int, model: float = 0.0) -> float:
    """Seconds per image of reading all, by a model that takes so long for each."""
    started, seen = time.perf_counter(), 0
    for batch in way():
        time.sleep(len(batch) * model)
        seen += len(batch)
    if seen != count:
        raise SystemExit(f"{seen} of {count} images were read.")
    return (time.perf_counter() - started) / count


def pillow(folder: Path, workers: int) -> dict[str, float]:
    """Seconds of one core per image of decoding and of scaling alone, and of both shared by all cores."""
    taken: dict[str, list[float]] = {"decode": [], "scale": []}
    for file in sorted(folder.rglob("*.jpg"))[:100]:
        started = time.thread_time()
        with Image.open(file) as image:
            image.load()
        decoded = time.thread_time()
        image.resize((341, 256), Image.Resampling.BICUBIC)
        taken["decode"].append(decoded - started)
        taken["scale"].append(time.thread_time() - decoded)
    found = {part: statistics.median(times) for part, times in taken.items()}
    return {**found, "limit": sum(found.values()) / workers}


def measured(folder: Path, count: int, workers: int, rounds: int) -> dict[str, Any]:
    """Milliseconds per image of every way, with and without a model."""
    config = dataclasses.replace(
        named_config("spikformer-8-384", classes=tuple(map(str, range(CLASSES)))),
        crop_fraction=CROP,
        interpolation="bicubic",
    )
    images = open_data(folder, (3, SIDE, SIDE)).test
    every = ways(folder, images, config, workers)
    taken: dict[str, list[float]] = {f"{name}{kind}": [] for name in every for kind in ("", "_with_model")}
    for _ in range(rounds):
        for name, way in every.items():
            taken[name].append(seconds(way, count))
            taken[f"{name}_with_model"].append(seconds(way, count, MODEL_SECONDS))
    found = {name: statistics.median(times) for name, times in taken.items()} | pillow(folder, workers)
    return {name: 1_000 * value for name, value in found.items()}


def main() -> None:
    """Measure, print, and write JSON where asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", metavar="N", type=int, help=f"default: {IMAGES}")
    parser.add_argument("--workers", metavar="N", type=int, default=cores(), help="default: one per core, %(default)s")
    add_options(parser, quick=f"{QUICK} images, one round")
    args = parser.parse_args()
    count = args.images or (QUICK if args.quick else IMAGES)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), count)
        found = measured(Path(folder), count, args.workers, 1 if args.quick else ROUNDS)
    print(f"{count:,} JPEGs of {WIDTH}x{HEIGHT}, {args.workers} workers          ms per image   with a model of 1 ms")
    for name in ("ours", "processes", "torchvision"):
        print(f"  {name:<12}{found[name]:>45.2f}{found[f'{name}_with_model']:>23.2f}")
    ratio = found["torchvision"] / found["ours"]
    print(f"\ntorchvision by ours: {ratio:.2f}")
    print(
        f"limit: Pillow decodes in {found['decode']:.2f} ms and scales in {found['scale']:.2f} ms on one core, so "
        f"{found['limit']:.2f} ms on {args.workers}; 1 ms takes {(found['decode'] + found['scale']):.1f} cores"
    )
    figures = {"ms": found, "ratio": ratio, "images": count, "workers": args.workers, "machine": machine()}
    settle(args, "data", {"torchvision_by_ours": ratio}, figures)


if __name__ == "__main__":
    main()
