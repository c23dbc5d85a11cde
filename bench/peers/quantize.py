"""Quantizes a model with onnxruntime's own quantizer, for comparison with ours.

    python bench/peers/quantize.py in.onnx out.onnx dynamic [--per-channel] [--reduce-range] [--preprocess]
    python bench/peers/quantize.py in.onnx out.onnx static --feeds feeds.json [--preprocess]

feeds.json is a list of objects, input name to token ids of one text.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process


class Feeds(CalibrationDataReader):
    def __init__(self, path: Path):
        feeds = json.loads(path.read_text())
        self.feeds = iter([{name: np.array([ids], np.int64) for name, ids in feed.items()} for feed in feeds])

    def get_next(self):
        return next(self.feeds, None)


def quantize(source: Path, options: argparse.Namespace) -> None:
    if options.mode == "dynamic":
        quantize_dynamic(source, options.out, per_channel=options.per_channel, reduce_range=options.reduce_range)
        return
    quantize_static(
        source,
        options.out,
        Feeds(options.feeds),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul", "Gemm", "Gather"],
        per_channel=True,
        reduce_range=options.reduce_range,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        # Without it, products of two activations are quantized as well.
        extra_options={"MatMulConstBOnly": True},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("mode", choices=["dynamic", "static"])
    parser.add_argument("--feeds", type=Path)
    parser.add_argument("--per-channel", action="store_true")
    parser.add_argument("--reduce-range", action="store_true")
    parser.add_argument("--preprocess", action="store_true", help="infer shapes and optimize first, as its manual says")
    options = parser.parse_args()
    if not options.preprocess:
        quantize(options.source, options)
        return
    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "prepared.onnx"
        try:
            quant_pre_process(options.source, prepared)
        except Exception:  # noqa: BLE001 - it raises bare exceptions where symbolic inference gives up
            quant_pre_process(options.source, prepared, skip_symbolic_shape=True)
        quantize(prepared, options)


if __name__ == "__main__":
    main()
