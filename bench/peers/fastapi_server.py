"""FastAPI and onnxruntime, as people write it. PEER_WORKERS processes of PEER_THREADS threads each."""

import os
import socket

import numpy as np
import onnxruntime
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from tokenizers import Tokenizer


class EmbeddingsRequest(BaseModel):
    model: str
    input: str | list[str]
    encoding_format: str = "float"


def open_session() -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ.get("PEER_THREADS", "2"))
    return onnxruntime.InferenceSession(os.environ["PEER_MODEL"], options, providers=["CPUExecutionProvider"])


def open_tokenizer() -> Tokenizer:
    tokenizer = Tokenizer.from_file(os.environ["PEER_TOKENIZER"])
    tokenizer.enable_truncation(512)
    tokenizer.enable_padding()
    return tokenizer


def create_app() -> FastAPI:
    session = open_session()
    tokenizer = open_tokenizer()
    names = [declared.name for declared in session.get_inputs()]
    app = FastAPI()

    @app.post("/v1/embeddings")
    def embeddings(request: EmbeddingsRequest) -> dict:
        texts = [request.input] if isinstance(request.input, str) else request.input
        encoded = tokenizer.encode_batch(texts)
        mask = np.array([item.attention_mask for item in encoded], dtype=np.int64)
        feeds = {
            "input_ids": np.array([item.ids for item in encoded], dtype=np.int64),
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(mask),
        }
        hidden = session.run(["last_hidden_state"], {name: feeds[name] for name in names})[0]
        sums = (hidden * mask[:, :, None]).sum(axis=1)
        vectors = sums / np.linalg.norm(sums, axis=1, keepdims=True)
        data = [{"object": "embedding", "index": i, "embedding": v.tolist()} for i, v in enumerate(vectors)]
        return {"object": "list", "model": request.model, "data": data}

    return app


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


if __name__ == "__main__":
    port = free_port()
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    uvicorn.run(
        "fastapi_server:create_app",
        factory=True,
        host="127.0.0.1",
        port=port,
        workers=int(os.environ.get("PEER_WORKERS", "1")),
        access_log=False,
        log_level="warning",
    )
