"""The graph of a forward pass."""

import threading
from collections.abc import Callable

import torch

from primesvt.models.engine.graph import trace

from ...search.models import tiny_model


def both(*works: Callable[[], None]) -> list[BaseException]:
    """What two threads raise that work at the same time."""
    errors: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_other_threads_use_models_while_one_is_traced() -> None:
    """torch.fx replaces how the modules of all threads are called; their answers must not become parts of the graph."""
    model, images = tiny_model(), torch.rand(2, 1, 8, 8)
    with torch.no_grad():
        expected, graph = model(images), str(trace(model, images.shape))
    traced = threading.Event()

    def tracing() -> None:
        for _ in range(8):
            assert str(trace(model, images.shape)) == graph
        traced.set()

    def calling() -> None:
        while not traced.is_set():
            with torch.no_grad():
                assert torch.equal(model(images), expected)

    call, attribute = torch.nn.Module.__call__, torch.nn.Module.__getattr__
    assert both(tracing, calling) == []
    assert (torch.nn.Module.__call__, torch.nn.Module.__getattr__) == (call, attribute)


def test_two_threads_trace() -> None:
    model, images = tiny_model(), torch.rand(2, 1, 8, 8)
    graph = str(trace(model, images.shape))

    def tracing() -> None:
        for _ in range(8):
            assert str(trace(model, images.shape)) == graph

    call = torch.nn.Module.__call__
    assert both(tracing, tracing) == []
    assert torch.nn.Module.__call__ is call
