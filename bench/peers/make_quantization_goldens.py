"""Makes test/onnx/goldens: small graphs, and what onnxruntime's own quantizer makes of them.

    python bench/peers/make_quantization_goldens.py        # needs numpy, onnx and onnxruntime 1.30.0
"""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static

GOLDENS = Path(__file__).resolve().parents[2] / "test" / "onnx" / "goldens"
RANDOM = np.random.default_rng(20261123)


def uneven(*shape: int) -> np.ndarray:
    """Floats whose columns differ in size a lot, with an all-zero column and exact halves of a step."""
    values = RANDOM.normal(size=shape) * np.exp(RANDOM.normal(size=shape[-1]) * 2)
    values[..., 0] = 0
    values[..., 1] = np.linspace(-127, 127, values[..., 1].size).reshape(values[..., 1].shape) / 2
    return values.astype(np.float32)


def save(name: str, nodes: list, inputs: list, outputs: list, constants: dict) -> Path:
    initializers = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path = GOLDENS / f"{name}.onnx"
    onnx.save(model, path)
    return path


def encoder() -> Path:
    """A look-up, then two products of which the first two share their input."""
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"], "lookup"),
        helper.make_node("MatMul", ["rows", "query"], ["q"], "query_product"),
        helper.make_node("MatMul", ["rows", "key"], ["k"], "key_product"),
        helper.make_node("Add", ["q", "k"], ["sum"], "add"),
        helper.make_node("MatMul", ["sum", "out"], ["y"], "out_product"),
    ]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "length", 5])
    constants = {"table": uneven(20, 8), "query": uneven(8, 6), "key": uneven(8, 6), "out": uneven(6, 5)}
    return save("encoder", nodes, [ids], [y], constants)


def classifier() -> tuple[Path, list[np.ndarray]]:
    """Gemm both ways round, one bias so large that its scale has to be raised."""
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], "hidden", transB=1),
        helper.make_node("Relu", ["h"], ["r"], "relu"),
        helper.make_node("Gemm", ["r", "w2", "b2"], ["g"], "second"),
        helper.make_node("MatMul", ["g", "w3"], ["y"], "last"),
    ]
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 8])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 4])
    second = uneven(6, 5)
    second[:, 2] = 1e-9
    constants = {
        "w1": uneven(6, 8),
        "b1": RANDOM.normal(size=6).astype(np.float32),
        "w2": second,
        "b2": np.array([0, 1, 3, -2, 0.5], np.float32),
        "w3": uneven(5, 4),
    }
    inputs = [RANDOM.normal(size=(3, 8)).astype(np.float32) * scale for scale in (0.5, 1, 4)]
    return save("classifier", nodes, [x], [y], constants), inputs


class Inputs(CalibrationDataReader):
    def __init__(self, arrays: list[np.ndarray]):
        self.feeds = iter([{"x": array} for array in arrays])

    def get_next(self):
        return next(self.feeds, None)


def main() -> None:
    GOLDENS.mkdir(parents=True, exist_ok=True)
    path = encoder()
    for mode, options in {
        "per-tensor": {},
        "per-channel": {"per_channel": True},
        "per-channel-reduced": {"per_channel": True, "reduce_range": True},
    }.items():
        quantize_dynamic(path, GOLDENS / f"encoder.{mode}.onnx", **options)
    path, arrays = classifier()
    quantize_static(
        path,
        GOLDENS / "classifier.static.onnx",
        Inputs(arrays),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"]},
    )
    feeds = [array.tolist() for array in arrays]
    (GOLDENS / "golden-inputs.json").write_text(json.dumps(feeds) + "\n")


if __name__ == "__main__":
    main()
