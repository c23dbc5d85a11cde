"""Collects the backend node tests of the Python package onnx into one archive, for test/onnx/backend-node-tests.test.ts.

    pip install onnx==1.23.2 onnxruntime==1.30.0 numpy
    python generate.py OUT

Writes node-tests.tar.gz with the model, inputs and outputs of every case that onnxruntime passes and whose tensors the Open
Inference Protocol can carry, and left-out.json with the names of all other cases by reason. The cases are part of onnx,
which is licensed under Apache-2.0.
"""

import gzip
import io
import json
import os
import sys
import tarfile
import warnings

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, numpy_helper
from onnx.backend.test.case.node import collect_testcases
from onnx.backend.test.loader import load_model_tests

warnings.filterwarnings("ignore")
ort.set_default_logger_severity(4)

T = TensorProto
CARRIED = {
    T.BOOL, T.UINT8, T.UINT16, T.UINT32, T.UINT64, T.INT8, T.INT16, T.INT32, T.INT64,
    T.FLOAT16, T.FLOAT, T.DOUBLE, T.STRING,
}

# Bytes of a case, uncompressed, that are worth keeping.
MAX_CASE_BYTES = 40_000


def kind_of(value):
    """Why no protocol carries a value, or None."""
    case = value.type.WhichOneof("value")
    if case != "tensor_type":
        return f"an input or output is {case.removesuffix('_type')}"
    elem = value.type.tensor_type.elem_type
    return None if elem in CARRIED else f"an input or output is of type {T.DataType.Name(elem)}"


def datasets_of(case):
    if case.data_sets is not None:
        for inputs, outputs in case.data_sets:
            yield list(inputs), list(outputs)
        return
    for folder in sorted(os.listdir(case.model_dir)):
        if not folder.startswith("test_data_set"):
            continue
        base = os.path.join(case.model_dir, folder)
        def read(prefix):
            names = sorted((f for f in os.listdir(base) if f.startswith(prefix)), key=lambda f: int(f.split("_")[1][:-3]))
            tensors = []
            for name in names:
                tensor = onnx.TensorProto()
                with open(os.path.join(base, name), "rb") as file:
                    tensor.ParseFromString(file.read())
                tensors.append(tensor)
            return tensors
        yield read("input_"), read("output_")


def as_proto(value):
    return value if isinstance(value, onnx.TensorProto) else numpy_helper.from_array(np.asarray(value))


def equals(expected, got, case):
    expected, got = np.asarray(expected), np.asarray(got)
    if expected.shape != got.shape or expected.dtype != got.dtype:
        return False
    if expected.dtype.kind in "OUS" or expected.dtype == object:
        return expected.tolist() == got.tolist()
    return np.allclose(expected, got, rtol=case.rtol, atol=case.atol, equal_nan=True)


def judge(case, model):
    """(reason to leave the case out or None, input tensors, output tensors)"""
    initializers = {i.name for i in model.graph.initializer}
    values = [i for i in model.graph.input if i.name not in initializers] + list(model.graph.output)
    for value in values:
        reason = kind_of(value)
        if reason:
            return reason, [], []
    try:
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception:
        return "onnxruntime cannot load the model", [], []
    inputs, outputs = next(iter(datasets_of(case)))
    inputs, outputs = [as_proto(v) for v in inputs], [as_proto(v) for v in outputs]
    feeds = {value.name: numpy_helper.to_array(tensor) for value, tensor in zip(session.get_inputs(), inputs)}
    try:
        got = session.run(None, feeds)
    except Exception:
        return "onnxruntime cannot run the model", [], []
    if len(got) != len(outputs) or not all(equals(numpy_helper.to_array(e), g, case) for e, g in zip(outputs, got)):
        return "the result of onnxruntime differs", [], []
    return None, inputs, outputs


def main(out):
    cases = list(collect_testcases(None))
    for kind in ("simple", "pytorch-converted", "pytorch-operator"):
        cases += load_model_tests(kind=kind)
    left_out, kept, seen = {}, {}, set()
    for case in sorted(cases, key=lambda c: c.name):
        if case.name in seen:
            continue
        seen.add(case.name)
        model = case.model if case.model is not None else onnx.load(os.path.join(case.model_dir, "model.onnx"))
        reason, inputs, outputs = judge(case, model)
        members = {"model.onnx": model.SerializeToString()}
        for i, tensor in enumerate(inputs):
            members[f"input_{i}.pb"] = tensor.SerializeToString()
        for i, tensor in enumerate(outputs):
            members[f"output_{i}.pb"] = tensor.SerializeToString()
        if reason is None and sum(map(len, members.values())) > MAX_CASE_BYTES:
            reason = f"the case has more than {MAX_CASE_BYTES} bytes"
        if reason is not None:
            left_out.setdefault(reason, []).append(case.name)
            continue
        members["tolerance.json"] = json.dumps({"rtol": case.rtol, "atol": case.atol}).encode()
        kept[case.name] = members
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, members in kept.items():
            for member, data in members.items():
                info = tarfile.TarInfo(f"{name}/{member}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    with open(os.path.join(out, "node-tests.tar.gz"), "wb") as file:
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=9, mtime=0) as zipped:
            zipped.write(raw.getvalue())
    with open(os.path.join(out, "left-out.json"), "w") as file:
        json.dump(dict(sorted(left_out.items())), file, indent=1, sort_keys=True)
        file.write("\n")
    print(len(kept), "cases kept,", {reason: len(names) for reason, names in left_out.items()})


main(sys.argv[1])
