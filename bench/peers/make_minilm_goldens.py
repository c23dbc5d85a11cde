"""Writes what the fp32 reference says about every text of models/minilm/golden.json.

Usage: HF_HUB_OFFLINE=1 python bench/peers/make_minilm_goldens.py [models/minilm/golden.json]
The file is the source of its own texts: add one as {"text": "..."}, run this, and the rest is filled in.
"""

import argparse
import base64
import importlib.metadata
import json
import pathlib

import numpy
from export_minilm import weights_folder
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer

MAX_TOKENS = 256
PACKAGES = ["sentence-transformers", "tokenizers", "torch", "transformers"]


def token_ids(folder: pathlib.Path, texts: list[str]) -> list[list[int]]:
    """Ids by the Rust tokenizers, special tokens included, cut at the model's limit."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return [tokenizer.encode(text).ids for text in texts]


def embeddings(folder: pathlib.Path, texts: list[str]) -> numpy.ndarray:
    model = SentenceTransformer(str(folder), device="cpu")
    if model.max_seq_length != MAX_TOKENS:
        raise SystemExit(f"the reference cuts at {model.max_seq_length} tokens, expected {MAX_TOKENS}")
    # One by one, so that no text's last bits depend on its neighbours.
    vectors = model.encode(texts, batch_size=1, show_progress_bar=False)
    return vectors.astype("<f4")


def render(reference: dict, items: list[dict]) -> str:
    """One line for each text, so that a change shows as one line."""
    lines = ",\n".join(json.dumps(item, ensure_ascii=True, separators=(",", ":")) for item in items)
    return f'{{"reference":{json.dumps(reference)},\n"items":[\n{lines}\n]}}\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=pathlib.Path, nargs="?", default=pathlib.Path("models/minilm/golden.json"))
    file = parser.parse_args().file
    texts = [item["text"] for item in json.loads(file.read_text("utf-8"))["items"]]
    if len(set(texts)) != len(texts):
        raise SystemExit("a text stands in the file twice")
    folder = weights_folder()
    items = [
        {"text": text, "ids": ids, "embedding": base64.b64encode(vector.tobytes()).decode()}
        for text, ids, vector in zip(texts, token_ids(folder, texts), embeddings(folder, texts), strict=True)
    ]
    reference = {name: importlib.metadata.version(name) for name in PACKAGES}
    file.write_text(render(reference, items), "utf-8")
    print(f"{file}: {len(items)} texts, {file.stat().st_size / 1e3:.0f} KB")


if __name__ == "__main__":
    main()
