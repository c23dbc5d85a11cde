"""Calls a running app with unchanged clients, and prints one row for each check.

Usage: python check_clients.py URL KEY SQS_URL JOBS_QUEUE RESULTS_QUEUE
The app serves the model minilm. The exit code is 1 if a check fails.
"""

import asyncio
import json
import sys
import time
import urllib.request
from datetime import datetime, timezone
from importlib.metadata import version

import boto3
import numpy as np
import openai
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from cloudevents.conversion import to_json
from cloudevents.http import CloudEvent
from kserve import InferInput, InferRequest, InferenceRESTClient, RESTConfig
from langchain_openai import OpenAIEmbeddings
from standardwebhooks import Webhook
from tritonclient.utils import InferenceServerException

URL, KEY, SQS_URL, JOBS_QUEUE, RESULTS_QUEUE = sys.argv[1:6]
HOST = URL.split("://", 1)[1]
MODEL = "minilm"
TEXTS = [f"Parcel {index} arrived this morning." for index in range(200)]
BEARER = {"Authorization": f"Bearer {KEY}"}

failures = 0


def check(client, name, test):
    """Runs one check. It passes if it returns a true value or nothing."""
    global failures
    try:
        passed, note = test() is not False, ""
    except Exception as error:  # A client may raise anything; the row shows it.
        passed, note = False, f"{type(error).__name__}: {error}"[:160]
    failures += not passed
    print(f"| {client} | {name} | {'works' if passed else 'FAILS'} | {note} |", flush=True)


def raises(kind, call, text=""):
    try:
        call()
    except kind as error:
        return text in str(error)
    return False


print("| client | check | verdict | note |\n| --- | --- | --- | --- |")

# openai
name = f"openai {version('openai')}"
client = openai.OpenAI(base_url=f"{URL}/v1", api_key=KEY)
vectors = np.array([row.embedding for row in client.embeddings.create(model=MODEL, input=TEXTS).data])
check(name, "200 texts, URL and key only", lambda: vectors.shape == (200, 384))
check(name, "models", lambda: MODEL in [model.id for model in client.models.list()])
wrong = openai.OpenAI(base_url=f"{URL}/v1", api_key="wrong")
check(name, "AuthenticationError for a wrong key", lambda: raises(openai.AuthenticationError, wrong.models.list))
unknown = lambda: client.embeddings.create(model="nope", input="a")  # noqa: E731
check(name, "NotFoundError for an unknown model", lambda: raises(openai.NotFoundError, unknown))

# langchain-openai
name = f"langchain-openai {version('langchain-openai')}"
arguments = {"model": MODEL, "base_url": f"{URL}/v1", "api_key": KEY}
texts_only = OpenAIEmbeddings(check_embedding_ctx_length=False, **arguments)
check(name, "200 texts as texts", lambda: np.allclose(texts_only.embed_documents(TEXTS), vectors, atol=1e-6))


def token_ids():
    """Its default sends token ids of another vocabulary: it must be refused, and the message must name the setting."""
    import tiktoken

    try:
        tiktoken.get_encoding("cl100k_base")
    except Exception:  # Without a network there are no token ids to send: send them as the client would.
        call = lambda: client.embeddings.create(model=MODEL, input=[[15339, 1917]])  # noqa: E731
        return raises(openai.BadRequestError, call, "check_embedding_ctx_length=False")
    call = lambda: OpenAIEmbeddings(**arguments).embed_documents(["hello world"])  # noqa: E731
    return raises(openai.BadRequestError, call, "check_embedding_ctx_length=False")


check(name, "token ids are refused, and the message names the setting", token_ids)

# tritonclient
name = f"tritonclient {version('tritonclient')}"


class Headers(triton.InferenceServerClientPlugin):
    def __init__(self, headers):
        self.headers = headers

    def __call__(self, request):
        request.headers.update(self.headers)


def triton_client(**headers):
    created = triton.InferenceServerClient(HOST, connection_timeout=60, network_timeout=60)
    created.register_plugin(Headers({**BEARER, **headers}))
    return created


def tensor(binary):
    created = triton.InferInput("text", [2, 1], "BYTES")
    created.set_data_from_numpy(np.array([[text] for text in TEXTS[:2]], dtype=object), binary_data=binary)
    return created


OCTETS = "application/octet-stream"
octets = triton_client(**{"content-type": OCTETS, "accept": OCTETS})
close = lambda result: np.allclose(result.as_numpy("embedding"), vectors[:2], atol=1e-6)  # noqa: E731
check(name, "server and model ready, metadata", lambda: octets.is_server_live() and octets.is_model_ready(MODEL))
check(name, "extensions", lambda: "binary_tensor_data" in octets.get_server_metadata()["extensions"])
check(name, "infer, bytes both ways", lambda: close(octets.infer(MODEL, [tensor(True)])))
check(name, "infer, JSON both ways", lambda: close(triton_client().infer(MODEL, [tensor(False)])))
for algorithm in ("gzip", "deflate"):
    compressed = lambda: octets.infer(MODEL, [tensor(True)], request_compression_algorithm=algorithm)  # noqa: E731
    check(name, f"infer, {algorithm}", lambda: close(compressed()))
bare = lambda: triton_client().infer(MODEL, [tensor(True)])  # noqa: E731
check(name, "bytes without a content type: the message says what to send", lambda: raises(InferenceServerException, bare, OCTETS))
keyless = lambda: triton.InferenceServerClient(HOST).infer(MODEL, [tensor(False)])  # noqa: E731
check(name, "no key: the message names the headers", lambda: raises(InferenceServerException, keyless, "x-api-key"))


async def asynchronous():
    async with triton_aio.InferenceServerClient(HOST) as created:
        return close(await created.infer(MODEL, [tensor(True)], headers=dict(BEARER)))


check(name, "aio infer, its defaults", lambda: asyncio.run(asynchronous()))

# kserve
name = f"kserve {version('kserve')}"


def kserve(binary):
    async def call():
        created = InferInput(name="text", shape=[2], datatype="BYTES")
        created.set_data_from_numpy(np.array([text.encode() for text in TEXTS[:2]], dtype=object), binary_data=binary)
        rest = InferenceRESTClient(RESTConfig(protocol="v2", timeout=60))
        request = InferRequest(model_name=MODEL, infer_inputs=[created])
        result = await rest.infer(URL, request, model_name=MODEL, headers=dict(BEARER))
        return np.allclose(np.asarray(result.outputs[0].as_numpy()).reshape(2, 384), vectors[:2], atol=1e-6)

    return lambda: asyncio.run(call())


check(name, "infer, bytes", kserve(True))
check(name, "infer, JSON", kserve(False))

# boto3 and cloudevents
name = f"boto3 {version('boto3')}, cloudevents {version('cloudevents')}"
sqs = boto3.client(
    "sqs", endpoint_url=SQS_URL, region_name="us-east-1", aws_access_key_id="local", aws_secret_access_key="local"
)


def event_through_the_queue():
    body = {"model": MODEL, "input": TEXTS[0]}
    data = {"endpoint": "/v1/embeddings", "body": body, "reply_queue": "results"}
    event = CloudEvent({"type": "tensorgate.job.v1", "source": "/check", "datacontenttype": "application/json"}, data)
    sqs.send_message(QueueUrl=JOBS_QUEUE, MessageBody=to_json(event).decode())
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for message in sqs.receive_message(QueueUrl=RESULTS_QUEUE, WaitTimeSeconds=5).get("Messages", []):
            result = json.loads(message["Body"])
            embedding = result["data"]["result"]["data"][0]["embedding"]
            return np.allclose(embedding, vectors[0], atol=1e-6)
    return False


check(name, "an event on the jobs queue ends with its result", event_through_the_queue)

# standardwebhooks
name = f"standardwebhooks {version('standardwebhooks')}"


def webhook_secret():
    request = urllib.request.Request(f"{URL}/v1/webhooks/secret", headers=BEARER)
    with urllib.request.urlopen(request) as response:
        secret = json.loads(response.read())["secrets"][0]["secret"]
    signed = Webhook(secret).sign("msg_1", datetime.now(timezone.utc), "{}")
    return signed.startswith("v1,")


check(name, "the library reads the secret of the API", webhook_secret)

sys.exit(1 if failures else 0)
