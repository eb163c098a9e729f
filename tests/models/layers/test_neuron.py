"""The fused neuron against SpikingJelly's: equal spikes bit for bit, equal gradients within rounding."""

import copy
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import functional, neuron, surrogate
from torch._subclasses.fake_tensor import FakeTensorMode

from primesvt.models import LIFNode, PrimeSVTError
from primesvt.models.layers import stock_neuron

SHAPES = [
    (1, 1),
    (1, 7),
    (2, 3, 5),
    (4, 1, 1, 1),
    (5, 2, 3, 4, 4),
    (3, 4096),
    (2, 4097),
    (2, 2, 5000),
    (16, 33),
    (3, 0),
]


def stock(tau: float, threshold: float, *, detach_reset: bool = True) -> neuron.LIFNode:
    return neuron.LIFNode(
        tau=tau,
        v_threshold=threshold,
        surrogate_function=surrogate.ATan(),
        detach_reset=detach_reset,
        step_mode="m",
    )


def currents(shape: tuple[int, ...], seed: int, scale: float = 2.0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * scale + 0.5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("tau", "threshold"), [(2.0, 1.0), (2.0, 0.5), (1.1, 0.3), (3.7, 1.3), (100.0, 0.01)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_spikes_are_those_of_spikingjelly(
    shape: tuple[int, ...], tau: float, threshold: float, dtype: torch.dtype
) -> None:
    x = currents(shape, seed=len(shape) + shape[0]).to(dtype)
    with torch.no_grad():
        spikes = LIFNode(tau=tau, v_threshold=threshold)(x)
        assert torch.equal(spikes, stock(tau, threshold)(x))
    assert spikes.dtype == dtype
    assert set(spikes.unique().tolist()) <= {0.0, 1.0}


@given(
    st.lists(st.lists(st.floats(-8, 8, width=32), min_size=3, max_size=3), min_size=1, max_size=8),
    st.floats(1.01, 50),
    st.floats(0.01, 4),
    st.sampled_from([torch.float32, torch.float64]),
)
@settings(max_examples=150)
def test_the_spikes_are_those_of_spikingjelly_for_any_numbers(
    rows: list[list[float]], tau: float, threshold: float, dtype: torch.dtype
) -> None:
    x = torch.tensor(rows, dtype=dtype)
    assert torch.equal(LIFNode(tau=tau, v_threshold=threshold)(x), stock(tau, threshold)(x))


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 1.0])
def test_currents_that_just_reach_the_threshold(threshold: float) -> None:
    """Neighbouring floats around the value at which the charged potential equals the threshold."""
    middle = torch.tensor(threshold) * 2
    x = torch.stack([middle * (1 + n * 2**-23) for n in range(-40, 41)]).repeat(4, 1)
    ours, theirs = LIFNode(v_threshold=threshold)(x), stock(2.0, threshold)(x)
    assert torch.equal(ours, theirs)
    assert 0 < ours[0].mean() < 1


def test_a_trace_by_hand() -> None:
    """tau 2, threshold 1: 1 -> H = .5; 2 -> 1.25, spike, reset; 1.5 -> .75; 1.25 -> 1.0, spike; 2 -> 1.0, spike."""
    x = torch.tensor([1.0, 2.0, 1.5, 1.25, 2.0]).view(5, 1)
    assert LIFNode(tau=2.0, v_threshold=1.0)(x).flatten().tolist() == [0, 1, 0, 1, 1]


@pytest.mark.parametrize("shape", [s for s in SHAPES if 0 not in s])
@pytest.mark.parametrize(("tau", "threshold"), [(2.0, 1.0), (1.3, 0.4), (5.0, 0.2)])
def test_the_gradients_are_those_of_spikingjelly(shape: tuple[int, ...], tau: float, threshold: float) -> None:
    ours, theirs = (currents(shape, seed=1).requires_grad_() for _ in range(2))
    weights = currents(shape, seed=2)
    (LIFNode(tau=tau, v_threshold=threshold)(ours) * weights).sum().backward()
    (stock(tau, threshold)(theirs) * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=2e-6, atol=5e-7)


def test_the_reset_is_detached() -> None:
    """With the reset in the graph the gradients differ, so the test above can tell the two apart."""
    ours, theirs = (currents((6, 50), seed=1).requires_grad_() for _ in range(2))
    LIFNode()(ours).sum().backward()
    stock(2.0, 1.0, detach_reset=False)(theirs).sum().backward()
    assert not torch.allclose(ours.grad, theirs.grad, rtol=1e-3)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_static_input_is_expanded_and_never_copied(steps: int) -> None:
    frame = currents((1, 2, 3, 5, 5), seed=3)
    assert torch.equal(LIFNode()(frame.expand(steps, -1, -1, -1, -1)), stock(2.0, 1.0)(frame.repeat(steps, 1, 1, 1, 1)))
    ours, theirs = (frame.clone().requires_grad_() for _ in range(2))
    weights = currents((steps, 2, 3, 5, 5), seed=4)
    (LIFNode()(ours.expand(steps, -1, -1, -1, -1)) * weights).sum().backward()
    (stock(2.0, 1.0)(theirs.repeat(steps, 1, 1, 1, 1)) * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=5e-6, atol=1e-6)


def test_any_memory_layout() -> None:
    x = currents((3, 4, 6, 5), seed=5)
    for view in (x.transpose(2, 3), x.flip(0), x[:, ::2], x.permute(1, 0, 2, 3), x[..., :1].expand(-1, -1, -1, 5)):
        assert torch.equal(LIFNode()(view), stock(2.0, 1.0)(view.contiguous()))
    grad = torch.ones(()).expand(3, 4, 6, 5)
    leaf = x.clone().requires_grad_()
    LIFNode()(leaf).backward(grad)
    assert leaf.grad is not None
    assert leaf.grad.isfinite().all()


# Of [T, N, C, H, W]: as it comes, channels last, and an order that has no name.
ORDERS = st.sampled_from([(0, 1, 2, 3, 4), (0, 1, 3, 4, 2), (3, 0, 4, 2, 1)])


def laid_out(x: torch.Tensor, order: tuple[int, ...]) -> torch.Tensor:
    """A copy of ``x`` whose axes lie in memory in the given order, the last one densely."""
    back = [order.index(axis) for axis in range(x.ndim)]
    return x.permute(order).contiguous().permute(back)


@given(
    st.tuples(*(st.integers(1, high) for high in (5, 3, 6, 4, 4))),
    ORDERS,
    ORDERS,
    st.floats(1.05, 20),
    st.floats(0.05, 2),
    st.booleans(),
    st.integers(0, 2**16),
)
@settings(max_examples=100)
def test_spikes_and_gradients_for_any_shape_and_layout(
    shape: tuple[int, ...],
    order: tuple[int, ...],
    grad_order: tuple[int, ...],
    tau: float,
    threshold: float,
    once: bool,
    seed: int,
) -> None:
    """With ``once``, the current is given once for all steps, and its gradient is the sum of theirs."""
    current = currents((1, *shape[1:]) if once else shape, seed)
    weights = currents(shape, seed + 1)
    ours, theirs = laid_out(current, order).requires_grad_(), current.clone().requires_grad_()
    spikes = LIFNode(tau=tau, v_threshold=threshold)(ours, shape[0])
    expected = stock(tau, threshold)(theirs.expand(shape))
    assert torch.equal(spikes, expected)
    spikes.backward(laid_out(weights, grad_order))
    expected.backward(weights)
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=5e-6, atol=2e-6)


def test_channels_stay_last() -> None:
    """What follows is a convolution that wants them there; so does the gradient's way back."""
    x = currents((3, 2, 5, 4, 4), seed=10).movedim(2, -1).contiguous().movedim(-1, 2).requires_grad_()
    spikes = LIFNode()(x)
    assert spikes.stride() == x.stride()
    (grad,) = torch.autograd.grad(spikes, x, torch.ones_like(x))
    assert grad.stride() == x.stride()
    assert LIFNode()(x.contiguous()).is_contiguous()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_current_given_once(dtype: torch.dtype) -> None:
    frame = currents((1, 50), seed=11).to(dtype)
    assert torch.equal(LIFNode()(frame, 4), LIFNode()(frame.expand(4, -1)))
    assert LIFNode()(frame, 4).any()
    assert torch.equal(LIFNode()(frame.expand(4, -1), 4), LIFNode()(frame.expand(4, -1)))
    with pytest.raises(PrimeSVTError, match=r"The current has 3 steps, expected 1 or 4\."):
        LIFNode()(frame.expand(3, -1), 4)


@pytest.mark.parametrize(("dtype", "learns"), [(torch.float64, True), (torch.bfloat16, False)])
def test_other_dtypes_run_spikingjelly(dtype: torch.dtype, learns: bool) -> None:
    x = currents((4, 30), seed=6).to(dtype).requires_grad_(learns)
    spikes = LIFNode()(x)
    assert spikes.dtype == dtype
    assert torch.equal(spikes, stock(2.0, 1.0)(x))
    assert spikes.any()


def test_every_call_starts_anew() -> None:
    node, x = LIFNode(), currents((3, 100), seed=7) * 0.6
    first = node(x)
    assert torch.equal(node(x), first)
    assert first.any()
    remembering = stock(2.0, 1.0)
    remembering(x)
    assert not torch.equal(remembering(x), first)
    assert torch.equal(copy.deepcopy(node)(x), first)


def test_the_input_is_left_alone() -> None:
    x = currents((3, 100), seed=8)
    before = x.clone()
    LIFNode()(x)
    assert torch.equal(x, before)


def test_threads_may_share_the_kernel() -> None:
    x = currents((4, 20_000), seed=9)
    expected, results = LIFNode()(x), []
    threads = [threading.Thread(target=lambda: results.append(LIFNode()(x))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    assert all(torch.equal(result, expected) for result in results)


# On CUDA, as far as it can be told without


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Lets SpikingJelly say which kernel it takes, and that kernel fail."""

    def set_up(name: str, unavailable: dict[str, str], failure: Exception | None = None) -> None:
        def run(x: torch.Tensor, v: torch.Tensor, **_options: object) -> tuple[torch.Tensor, torch.Tensor, None]:
            if failure is not None:
                raise failure
            return x, v, None

        choice = {"implementation": name, "unavailable": unavailable}
        monkeypatch.setattr(stock_neuron.functional, "neuron_implementation", lambda _neuron, _device: choice)
        monkeypatch.setattr(stock_neuron.functional, "lif_multi_step", run)

    stock_neuron._runs_fused.cache_clear()
    yield set_up
    stock_neuron._runs_fused.cache_clear()


@pytest.mark.parametrize("name", ["cuda", "triton"])
def test_a_fused_kernel_is_taken_without_a_word(kernel, name: str) -> None:
    kernel(name, {"cuda": "not built"})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert stock_neuron._runs_fused(torch.device("cpu"))


def test_plain_pytorch_is_said_once(kernel) -> None:
    kernel("torch", {"cuda": "not built", "triton": "No module named 'triton'"})
    with pytest.warns(UserWarning, match=r"Neurons on cpu run in plain PyTorch.* triton: No module named") as told:
        assert all(stock_neuron._runs_fused(torch.device("cpu")) for _ in range(3))
    assert len(told) == 1


def test_a_kernel_that_does_not_start_is_not_taken(kernel) -> None:
    """Triton compiles a launcher when its first kernel starts; images of containers often have no compiler."""
    kernel("triton", {}, RuntimeError("Failed to find C compiler.\nPlease specify via CC environment variable."))
    with pytest.warns(UserWarning, match=r"plain PyTorch, .* RuntimeError: Failed to find C compiler\. Please") as told:
        assert not any(stock_neuron._runs_fused(torch.device("cpu")) for _ in range(3))
    assert len(told) == 1


@pytest.mark.skipif(torch.version.cuda is None, reason="this PyTorch knows no CUDA")
@pytest.mark.parametrize("runs_fused", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_what_is_asked_of_spikingjelly_on_cuda(monkeypatch, dtype: torch.dtype, runs_fused: bool) -> None:
    calls = []

    def record(x: torch.Tensor, v: torch.Tensor, *parameters: object) -> tuple[torch.Tensor, torch.Tensor, None]:
        calls.append((v, parameters))
        return x.to(v.dtype), v, None

    monkeypatch.setattr(stock_neuron, "_runs_fused", lambda _device: runs_fused)
    monkeypatch.setattr(stock_neuron.functional, "lif_multi_step", record)
    with FakeTensorMode():
        x = torch.empty(2, 3, 5, 5, 4, dtype=dtype, device="cuda").movedim(-1, 2)
        spikes = LIFNode(tau=3.0, v_threshold=0.5)(x)
        ((v, parameters),) = calls
        assert (v.shape, v.stride(), v.device) == (x.shape[1:], x.stride()[1:], x.device)
    assert spikes.dtype == dtype
    assert v.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    tau, decay_input, threshold, reset, slope, detached = parameters
    assert (tau, decay_input, threshold, reset, detached) == (3.0, True, 0.5, 0.0, True)
    # SpikingJelly knows its own surrogate functions, and runs plain PyTorch with any other.
    assert isinstance(slope, surrogate.ATan) == (runs_fused or dtype == torch.float64)


def test_plain_pytorch_integrates_in_float32_too() -> None:
    """What runs on a device where no kernel starts; SpikingJelly's function runs on the CPU here."""
    node, current = LIFNode(), currents((4, 500), seed=10).bfloat16()
    ours, theirs = (current.clone().requires_grad_() for _ in range(2))
    spikes, _, _ = functional.lif_multi_step(
        ours, torch.zeros(500), node.tau, True, node.v_threshold, 0.0, stock_neuron._plain_slope, True
    )
    exact = node(theirs.float())
    assert torch.equal(spikes.bfloat16().float(), exact)
    spikes.sum().backward()
    exact.sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
