"""Devices by name, and how tensors and modules get there and back."""

import pytest
import torch
from torch import nn

from primesvt.models import PrimeSVTError, find_device
from primesvt.models.engine.device import placed, to_cpu, to_device


@pytest.fixture
def two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that seems to have two CUDA devices."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("two_devices")
def test_devices_that_are_there() -> None:
    assert find_device("cpu") == torch.device("cpu")
    assert find_device("cuda") == torch.device("cuda", 0)
    assert find_device("cuda:1") == torch.device("cuda", 1)
    assert find_device("auto") == torch.device("cuda", 0)


@pytest.mark.usefixtures("two_devices")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("cuda:2", r"Cannot use cuda:2: there are 2 CUDA devices, numbered from 0\."),
        ("tpu", r"Unknown device 'tpu'; known are cpu, cuda, cuda:N with a number N, and auto\."),
        ("cuda:", "Unknown device 'cuda:'"),
        ("cuda:-1", "Unknown device 'cuda:-1'"),
        ("cpu:0", "Unknown device 'cpu:0'"),
        ("", "Unknown device ''"),
    ],
)
def test_devices_that_are_not(name: str, message: str) -> None:
    with pytest.raises(PrimeSVTError, match=message):
        find_device(name)


@pytest.mark.parametrize(
    ("built_for", "message"), [("13.0", "sees no CUDA device or no driver"), (None, "is built without CUDA")]
)
def test_without_cuda(monkeypatch: pytest.MonkeyPatch, built_for: str | None, message: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", built_for)
    assert find_device("auto") == find_device("cpu")
    with pytest.raises(PrimeSVTError, match=f"Cannot use cuda: this PyTorch, .*, {message}.* Use cpu"):
        find_device("cuda")


@pytest.mark.usefixtures("two_devices")
def test_devices_of_another_make(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.version, "hip", "6.4")
    assert find_device("auto") == torch.device("cpu")
    with pytest.raises(PrimeSVTError, match="Cannot use cuda: SpikingJelly's neurons run on NVIDIA's devices only"):
        find_device("cuda")


def test_what_is_there_already_is_not_copied() -> None:
    tensor = torch.zeros(3)
    assert to_device(tensor, torch.device("cpu")) is tensor
    state = {"weights": [tensor, 1], "name": "x", "none": None, "pair": (0.9, 0.999)}
    back = to_cpu(state)
    assert back == state
    assert back["weights"][0] is tensor


def test_tensors_come_back_from_wherever_they_lie() -> None:
    class Elsewhere(torch.Tensor):
        """A tensor that says where it was asked to go."""

        def cpu(self) -> str:  # type: ignore[override]
            return "came back"

    there = torch.zeros(1).as_subclass(Elsewhere)
    assert to_cpu({"state": {0: {"step": there}}, "groups": [{"lr": 0.1, "x": [there]}]}) == {
        "state": {0: {"step": "came back"}},
        "groups": [{"lr": 0.1, "x": ["came back"]}],
    }


def test_modules_come_back_after_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    moves: list[tuple[object, str]] = []
    monkeypatch.setattr(nn.Linear, "to", lambda module, device: moves.append((module, str(device))))
    one, other = nn.Linear(1, 1), nn.Linear(1, 1)

    def fail() -> None:
        with placed(torch.device("cuda", 1), one, None, other):
            assert moves == [(one, "cuda:1"), (other, "cuda:1")]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert moves[2:] == [(one, "cpu"), (other, "cpu")]
