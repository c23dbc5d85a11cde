#!/bin/sh
# Sends a text to the jobs queue: send-job.sh [text] [id]
# QUEUE_URL is the output QueueUrlJobs of the stack TensorgateJobs-<stage>. TENANT and REPLY_QUEUE are optional.
set -eu

: "${QUEUE_URL:?is not set}"
text=${1:-a text to embed}
id=${2:-$(cat /proc/sys/kernel/random/uuid 2>/dev/null || uuidgen)}

# jq writes the JSON, so that quotes in the text do no harm.
event=$(jq --null-input --compact-output \
  --arg id "$id" --arg text "$text" --arg tenant "${TENANT:-}" --arg reply "${REPLY_QUEUE:-}" '
  {
    specversion: "1.0",
    type: "tensorgate.job.v1",
    source: "/examples/send-job",
    id: $id,
    data: ({ endpoint: "/v1/embeddings", body: { input: [$text] } }
      + if $reply == "" then {} else { reply_queue: $reply } end)
  } + if $tenant == "" then {} else { tenant: $tenant } end')

aws sqs send-message --queue-url "$QUEUE_URL" --message-body "$event"
