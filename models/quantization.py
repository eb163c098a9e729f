"""Weights of an exported ONNX file as whole numbers of a byte, in ONNX's QDQ form.

Every weight ``w`` of a convolution, with BatchNorm folded into it, becomes ``q * scale``: ``q`` an int8
from -127 to 127, and for each output channel a float32 ``scale = max |w| / 127`` of its own; zero stays zero. The file
holds ``q`` and ``scale`` and a standard operator (``DequantizeLinear``) that multiplies them. Spikes, membrane
potentials and biases stay as they are, so only what is stored shrinks, to a quarter and a little. So does the
classifier: what a linear layer reads beside weights of a byte, ONNX Runtime would round to a byte, too.
"""

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

# The largest whole number: as far from zero on either side.
_MOST = 127


def quantized(weights: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights as int8 of the same shape, and the scale of every channel, float32 ``[C]``.

    Args:
        weights: Float32 of any shape.
        axis: That of the output channels.
    """
    others = tuple(dim for dim in range(weights.ndim) if dim != axis)
    largest = np.abs(weights).max(axis=others, keepdims=True)
    scale = (np.where(largest > 0, largest, _MOST) / _MOST).astype(np.float32)
    return np.clip(np.rint(weights / scale), -_MOST, _MOST).astype(np.int8), scale.reshape(-1)


def quantize_weights(model: ModelProto) -> None:
    """Store the weights of all convolutions as int8, in place."""
    graph = model.graph
    constants = {constant.name: constant for constant in graph.initializer}
    before: list[NodeProto] = []
    for node in graph.node:
        name = node.input[1] if len(node.input) > 1 else ""
        constant = constants.get(name)
        if node.op_type != "Conv" or constant is None or constant.data_type != TensorProto.FLOAT:
            continue
        whole, scale = quantized(numpy_helper.to_array(constant), 0)
        parts = (f"{name}_int8", f"{name}_scale")
        graph.initializer.remove(constant)
        graph.initializer.extend(map(numpy_helper.from_array, (whole, scale), parts))
        before.append(helper.make_node("DequantizeLinear", list(parts), [name], axis=0))
        del constants[name]
    nodes = [*before, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
