"""Reading ahead: the same images in the same order as one by one, errors where they belong, and no thread left."""

import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

from primesvt.models import PrimeSVTError, Resizing, split
from primesvt.models.data.images import FileImages
from primesvt.models.data.read_ahead import DecodedSource, ReadAhead

from ...conftest import small_config

CONFIG = small_config("spikformer")
CLASSES = tuple(map(str, range(len(CONFIG.classes))))


class Source:
    """Images of one number each, slow to read; a negative index is damage. It remembers what was read."""

    frame = (1, 8, 8)
    steps = None

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds, self.decoded, self.resizings = seconds, [], set()

    def __len__(self) -> int:
        return 100

    def decode(self, indices: np.ndarray, resizing: Resizing, pixels: np.ndarray) -> None:
        time.sleep(self.seconds)
        self.resizings.add(resizing)
        for i, index in enumerate(indices):
            if index < 0:
                raise PrimeSVTError(f"image {index} is damaged")
            pixels[i] = index / 100
            self.decoded.append(int(index))


def batches(count: int, size: int = 10) -> list[np.ndarray]:
    return list(np.random.default_rng(0).permutation(100)[: count * size].reshape(count, size))


def reading() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("read")]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_images_in_the_same_order(threads: int) -> None:
    parts, source = batches(6), Source()
    with ReadAhead(source, CONFIG, parts, threads) as ahead:
        for part in parts:
            read = ahead.read(part)
            pixels = torch.from_numpy(part / 100).float().view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
            assert torch.equal(read, (pixels - torch.tensor(CONFIG.mean)) / torch.tensor(CONFIG.std))
    assert sorted(source.decoded) == sorted(np.concatenate(parts).tolist()), "nothing is read twice"
    assert source.resizings == {CONFIG.resizing}
    assert not reading()


def test_only_so_much_is_read_ahead(monkeypatch) -> None:
    parts, source = batches(6), Source()
    with ReadAhead(source, CONFIG, parts, 1) as ahead:
        ahead.read(parts[0])
        ahead._pool.submit(lambda: None).result()
        assert set(source.decoded) == set(np.concatenate(parts[:3]).tolist())
    monkeypatch.setattr("primesvt.models.data.read_ahead._AHEAD_BYTES", 1)
    source = Source()
    with ReadAhead(source, CONFIG, parts, 1) as ahead:
        ahead.read(parts[0])
        ahead._pool.submit(lambda: None).result()
        assert len(source.decoded) == 20, "one batch at least"


def test_the_next_batches_are_read_while_the_model_computes() -> None:
    parts, source = batches(3, 4), Source()
    with ReadAhead(source, CONFIG, parts, 1) as ahead:
        ahead.read(parts[0])
        for _, tasks in ahead._begun.values():
            for task in tasks:
                task.result(timeout=5)
        assert sorted(source.decoded) == sorted(np.concatenate(parts).tolist()), "nobody has asked for two of them yet"


def test_other_images_may_be_read_and_batches_passed_over() -> None:
    parts, source = batches(6), Source()
    with ReadAhead(source, CONFIG, parts, 2) as ahead:
        assert ahead.read(np.array([7])).shape == (1, 1, 8, 8)
        ahead.read(parts[0])
        late = ahead.read(parts[4])
        assert set(ahead._begun) == {5}
        assert torch.equal(late, ahead.read(parts[4]))


def test_an_error_belongs_to_its_batch() -> None:
    parts = [np.array([1, 2]), np.array([3, -4]), np.array([5])]
    with ReadAhead(Source(), CONFIG, parts) as ahead:
        ahead.read(parts[0])
        with pytest.raises(PrimeSVTError, match="image -4 is damaged"):
            ahead.read(parts[1])
        ahead.read(parts[2])


def test_an_interruption_ends_the_threads_and_what_waits() -> None:
    parts, source = batches(3, 30), Source(0.02)

    def interrupted() -> None:
        with ReadAhead(source, CONFIG, parts, 2) as ahead:
            ahead.read(parts[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not reading()
    assert len(source.decoded) < 70


def test_a_set_of_files_is_read_ahead_as_its_images_one_by_one(tmp_path) -> None:
    rng = np.random.default_rng(0)
    files = [tmp_path / f"{i}.png" for i in range(40)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (9, 13), dtype=np.uint8)).save(file)
    source = FileImages(tuple(files), (1, 8, 8))
    assert isinstance(source, DecodedSource)
    labels = np.arange(40) % len(CLASSES)
    data = split("files", CLASSES, (source, labels), (source, labels))
    read = list(data.test.batches(CONFIG, 16))
    assert [len(images) for images, _ in read] == [16, 16, 8]
    for i, index in enumerate(data.test.indices):
        expected = (source.read(np.array([index]))[0] - torch.tensor(CONFIG.mean)) / torch.tensor(CONFIG.std)
        assert torch.equal(read[i // 16][0][i % 16], expected)
        assert int(read[i // 16][1][i % 16]) == labels[index]
    next(data.test.batches(CONFIG, 4))
    assert not reading()
