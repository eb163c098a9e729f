"""A hand-made graph with marked widths: two convolutions, the second of which writes some channels of a stream."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from primesvt.pruning.latency.template import Template

# Widths by which the layers are told: first 17, second 19, the stream 23; ``second`` reads heads of two channels.
MARKS = {"first": 17, "second": 19, "embedding": 23}
HEADS = {"first": 2, "second": 1, "embedding": 1}
FULL = {"first": 8, "second": 12, "embedding": 12}


def _weights(name: str, *shape: int) -> TensorProto:
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def _numbers(name: str, *values: int) -> TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def template() -> Template:
    """images [1, 3, 4, 4] -> first (34 of 2 heads) -> second (19) -> spread over the stream (23) -> logits [1, 23]."""
    nodes = [
        helper.make_node("Conv", ["images", "w1"], ["a"], kernel_shape=[1, 1]),
        helper.make_node("Reshape", ["a", "heads"], ["b"]),
        helper.make_node("Reshape", ["b", "plane"], ["c"]),
        helper.make_node("Conv", ["c", "w2"], ["d"], kernel_shape=[1, 1]),
        helper.make_node("Pad", ["d", "pads"], ["padded"]),
        helper.make_node("Gather", ["padded", "index"], ["e"], axis=1),
        helper.make_node("ReduceMean", ["e", "axes"], ["logits"], keepdims=0),
    ]
    constants = [
        _weights("w1", 34, 3, 1, 1),
        _weights("w2", 19, 34, 1, 1),
        _numbers("heads", 1, 2, 17, 16),
        _numbers("plane", 1, 34, 4, 4),
        _numbers("pads", 0, 1, 0, 0, 0, 0, 0, 0),
        _numbers("index", *[*range(1, 20), 0, 0, 0, 0]),
        _numbers("axes", 2, 3),
    ]
    graph = helper.make_graph(
        nodes,
        "marked",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 4, 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 23])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return Template.of_graph(model, MARKS, HEADS)


def answers(graph: bytes) -> list[tuple[int, ...]]:
    """Shapes of what ONNX Runtime answers."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    asked = {each.name: np.ones(each.shape, np.float32) for each in session.get_inputs()}
    return [answer.shape for answer in session.run(None, asked)]
