"""Weights as int8 in an ONNX file."""

import numpy as np
import onnxruntime
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F

from primesvt.models.quantization import quantize_weights, quantized


@given(st.integers(0, 2**32 - 1), st.integers(0, 1))
def test_no_weight_moves_by_more_than_half_a_step(seed: int, axis: int) -> None:
    weights = np.random.default_rng(seed).normal(size=(3, 5, 2)).astype(np.float32)
    weights[0, 1] = 0
    whole, scale = quantized(weights, axis)
    steps = np.expand_dims(scale, tuple(dim for dim in range(3) if dim != axis))
    assert (whole.dtype, scale.dtype, scale.shape) == (np.int8, np.float32, (weights.shape[axis],))
    assert whole.min() >= -127
    assert np.all(np.abs(whole * steps - weights) <= steps / 2 * (1 + 1e-5))
    assert np.all(whole[weights == 0] == 0)
    # The largest of every channel is told exactly.
    assert np.all(np.abs(whole).max(tuple(dim for dim in range(3) if dim != axis)) == 127)


def test_a_channel_of_zeros_stays_so() -> None:
    whole, scale = quantized(np.zeros((2, 3), np.float32), 0)
    assert (whole.tolist(), scale.tolist()) == ([[0] * 3] * 2, [1.0, 1.0])


def test_onnxruntime_answers_as_the_quantized_weights_do() -> None:
    draw = np.random.default_rng(0)
    conv, linear, shift = (draw.normal(size=s).astype(np.float32) for s in ((6, 3, 3, 3), (6, 4), (6,)))
    nodes = [
        helper.make_node("Conv", ["images", "conv", "shift"], ["a"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("ReduceMean", ["a", "axes"], ["b"], keepdims=0),
        helper.make_node("MatMul", ["b", "linear"], ["logits"]),
    ]
    constants = [numpy_helper.from_array(v, n) for v, n in ((conv, "conv"), (linear, "linear"), (shift, "shift"))]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [2, 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [2, 4])],
        [*constants, numpy_helper.from_array(np.array([2, 3]), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    before = {constant.name: constant.data_type for constant in model.graph.initializer}
    quantize_weights(model)
    kinds = {constant.name: constant.data_type for constant in model.graph.initializer}
    assert {name for name, kind in kinds.items() if kind == TensorProto.INT8} == {"conv_int8"}
    assert kinds["linear"] == kinds["shift"] == before["shift"] == TensorProto.FLOAT
    images = draw.normal(size=(2, 3, 8, 8)).astype(np.float32)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"images": images})

    whole, scale = quantized(conv, 0)
    rounded = torch.from_numpy(whole * scale[:, None, None, None])
    answers = []
    for weights in (rounded, torch.from_numpy(conv)):
        hidden = F.conv2d(torch.from_numpy(images), weights, torch.from_numpy(shift), padding=1).mean((2, 3))
        answers.append((hidden @ torch.from_numpy(linear)).numpy())
    assert np.allclose(found, answers[0], atol=1e-5)
    assert not np.allclose(found, answers[1], atol=1e-5)
