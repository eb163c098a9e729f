"""What answers for models: by name, and which precision."""

import pytest
import torch

from primesvt.models import CPU, Backend, DeviceModel, PrimeSVTError
from primesvt.models.engine.forward import DirectForward

ALONE = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


def test_unsaid_is_the_engine() -> None:
    assert Backend.named() == Backend()
    assert Backend().engine
    assert (Backend().kind, Backend().text) == ("cpu", "")


def test_cpu_is_pytorch_in_an_order_of_its_own(make_model) -> None:
    backend, model = Backend.named("cpu"), make_model()
    assert not backend.engine
    assert (backend.kind, backend.text) == ("torch", "torch float32"), "to a study not the engine"
    assert backend.prepared(model) is model
    forward = backend.forward(model, (1, 1, 16, 16))
    assert isinstance(forward, DirectForward)
    assert forward.reason == "it is asked on cpu in float32"


def test_bfloat16_is_never_the_engine(make_model) -> None:
    backend = Backend.named(None, "bfloat16")
    assert (backend.device, backend.engine, backend.text) == (CPU, False, "cpu bfloat16")
    assert isinstance(backend.prepared(make_model()), DeviceModel)


@ALONE
def test_auto_is_the_engine_where_there_is_nothing_else() -> None:
    assert Backend.named("auto") == Backend()


@ALONE
def test_a_device_that_is_not_there_is_one_line() -> None:
    with pytest.raises(PrimeSVTError, match=r"^Cannot use cuda:1: this PyTorch, .*\. Use cpu\.$"):
        Backend.named("cuda:1")


def test_other_precisions_are_refused() -> None:
    with pytest.raises(PrimeSVTError, match="precision must be one of float32, bfloat16, got 'float16'"):
        Backend(precision="float16")


def test_no_memory_left_is_one_line() -> None:
    told = r"cpu has no memory left: Tried to allocate 2 GiB\. Give less .*--cache"
    with pytest.raises(PrimeSVTError, match=told), Backend().exact():
        raise torch.OutOfMemoryError("Tried to allocate 2 GiB.\nmore")
