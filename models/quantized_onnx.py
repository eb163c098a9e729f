"""Weights of an exported ONNX file as whole numbers of a byte, in ONNX's QDQ form.

The file holds what :mod:`primesvt.models.int8_weights` makes of the weights of every convolution, with BatchNorm folded
into it, and a standard operator (``DequantizeLinear``) that multiplies them. Spikes, membrane potentials and biases
stay as they are, so only what is stored shrinks, to a quarter and a little. So does the classifier: what a linear layer
reads beside weights of a byte, ONNX Runtime would round to a byte, too.
"""

from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from .int8_weights import quantized


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
