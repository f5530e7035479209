"""The upstream of the SDK tests: answers by path, with recorded bodies where there are any."""

from __future__ import annotations

import base64
import gzip
import json
import struct
from typing import Any

import live_api
from upstreamtest import Peer, Request
from weirtest import DATA

SAMPLES = DATA / "upstream" / "samples"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def text_event(text: str) -> bytes:
    usage = {"promptTokenCount": 4, "candidatesTokenCount": 2, "totalTokenCount": 6}
    content = {"role": "model", "parts": [{"text": text}]}
    return b"data: " + json.dumps({"candidates": [{"content": content}], "usageMetadata": usage}).encode() + b"\r\n\r\n"


def openai_event(text: str) -> bytes:
    usage = {"prompt_tokens": 4, "completion_tokens": 2, "total_tokens": 6}
    chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}], "usage": usage}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def answer_json(peer: Peer, request: Request, body: bytes) -> None:
    """Packed if the client takes that, as the real one does."""
    if "gzip" in (request.header("accept-encoding") or ""):
        peer.answer(gzip.compress(body), headers={"Content-Encoding": "gzip"})
    else:
        peer.answer(body)


def answer_stream(peer: Peer, data: bytes) -> None:
    peer.events()
    for at in range(0, len(data), 61):
        peer.chunk(data[at : at + 61])
    peer.chunk(b"")


def gemini_tool_call() -> bytes:
    call = {"functionCall": {"name": "get_weather", "args": {"city": "Paris"}}, "thoughtSignature": "c2lnbmVk"}
    content = {"role": "model", "parts": [call]}
    usage = {"promptTokenCount": 52, "candidatesTokenCount": 15, "thoughtsTokenCount": 40, "totalTokenCount": 107}
    return json.dumps({"candidates": [{"content": content, "finishReason": "STOP"}], "usageMetadata": usage}).encode()


def openai_tool_call() -> bytes:
    function = {"name": "get_weather", "arguments": '{"city":"Paris"}'}
    message = {"role": "assistant", "tool_calls": [{"id": "call-1", "type": "function", "function": function}]}
    usage = {"prompt_tokens": 52, "completion_tokens": 15, "total_tokens": 107}
    return json.dumps(
        {"object": "chat.completion", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}], "usage": usage}
    ).encode()


def embeddings(count: int) -> bytes:
    made = [{"values": [0.5, -0.25]} for _ in range(count)]
    return json.dumps({"embeddings": made, "usageMetadata": {"promptTokenCount": 4 * count}}).encode()


def openai_embeddings(asked: Any) -> bytes:
    count = len(asked["input"])
    packed = asked.get("encoding_format") == "base64"
    values: Any = base64.b64encode(struct.pack("<2f", 0.5, -0.25)).decode() if packed else [0.5, -0.25]
    made = [{"object": "embedding", "index": i, "embedding": values} for i in range(count)]
    usage = {"prompt_tokens": 4 * count, "total_tokens": 4 * count}
    return json.dumps({"object": "list", "data": made, "model": "m", "usage": usage}).encode()


def openai_response() -> bytes:
    content = [{"type": "output_text", "text": "Hello", "annotations": []}]
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
    usage = {
        **{"input_tokens": 9, "input_tokens_details": {"cached_tokens": 0}},
        **{"output_tokens": 107, "output_tokens_details": {"reasoning_tokens": 100}, "total_tokens": 116},
    }
    return json.dumps(
        {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": [message], "usage": usage}
    ).encode()


def stand_in(peer: Peer, request: Request) -> None:
    """Answers with what was recorded, by the path that is asked for."""
    path = request.target.split("?")[0]
    if path.endswith(live_api.PATH):
        live_api.serve(peer, request)
    elif path.endswith(":generateContent"):
        tool = b"functionDeclarations" in request.body and b"functionResponse" not in request.body
        answer_json(peer, request, gemini_tool_call() if tool else sample("01-unary-thinking.json"))
    elif path.endswith(":streamGenerateContent"):
        answer_stream(peer, sample("02-sse-text.txt"))
    elif path.endswith(":batchEmbedContents"):
        answer_json(peer, request, embeddings(len(request.json["requests"])))
    elif path.endswith("/chat/completions") and request.json.get("stream"):
        answer_stream(peer, sample("12-openai-compat-stream.txt"))
    elif path.endswith("/chat/completions"):
        tool = "tools" in request.json and request.json["messages"][-1]["role"] != "tool"
        answer_json(peer, request, openai_tool_call() if tool else sample("11-openai-compat-unary.json"))
    elif path.endswith("/embeddings"):
        answer_json(peer, request, openai_embeddings(request.json))
    elif path.endswith("/responses"):
        answer_json(peer, request, openai_response())
    elif path.endswith("/interactions"):
        answer_stream(peer, sample("14-interactions-sse-final-events.txt"))
    elif path.endswith(":countTokens"):
        answer_json(peer, request, sample("15-countTokens.json"))
    elif path.endswith("/models") and request.header("authorization"):
        peer.answer({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "us", "created": 1}]})
    elif path.endswith("/models"):
        peer.answer({"models": [{"name": "models/m", "version": "1"}]})
    elif path.startswith("/upload/") and path.endswith("/files"):
        answer_upload(peer, request)
    else:
        peer.answer({"error": {"code": 404, "message": path, "status": "NOT_FOUND"}}, "404 Not Found")


def answer_upload(peer: Peer, request: Request) -> None:
    """A resumable upload: where to send it, then what was made of it."""
    if "upload_id" not in request.target:
        scheme = "https" if peer.sock.__class__.__name__ == "SSLSocket" else "http"
        url = f"{scheme}://{request.header('host')}{request.target.split('?')[0]}?upload_id=42&upload_protocol=resumable"
        peer.answer(headers={"X-Goog-Upload-URL": url, "X-Goog-Upload-Status": "active"})
        return
    file = {"name": "files/abc", "mimeType": "text/plain", "sizeBytes": str(len(request.body)), "state": "ACTIVE"}
    peer.answer({"file": file}, headers={"X-Goog-Upload-Status": "final"})
