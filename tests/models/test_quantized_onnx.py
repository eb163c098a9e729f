"""Weights as int8 in an ONNX file."""

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F

from primesvt.models.int8_weights import quantized
from primesvt.models.quantized_onnx import quantize_weights


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
