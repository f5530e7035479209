"""Gemini's Live API for the SDK tests: the upstream's side, and what stands before the daemon for clients that dial
wss whatever their base URL says."""

from __future__ import annotations

import json
import select
import socket
from typing import Any

from upstreamtest import Peer, Request, Upstream
from websockettest import BINARY, CLOSE, accept, frame
from weirtest import DEADLINE_S

PATH = ".BidiGenerateContent"
TURN = {"promptTokenCount": 40, "responseTokenCount": 3, "totalTokenCount": 43, "thoughtsTokenCount": 2}


def serve(peer: Peer, request: Request) -> None:
    """A session: each turn is echoed in two parts, then accounted for. What was said is kept as the request's body."""
    receive = accept(peer, request)

    def say(message: object) -> None:
        peer.send(frame(BINARY, json.dumps(message).encode()))  # the real one sends JSON in binary frames

    while (got := receive())[0] not in (CLOSE, -1):
        request.body += got[1] + b"\n"
        message = json.loads(got[1])
        if "setup" in message:
            say({"setupComplete": {}})
            continue
        content = message.get("clientContent") or message["client_content"]  # as Python's SDK writes it
        prompt = content["turns"][0]["parts"][0]["text"]
        for text in ("You said: ", prompt):
            say({"serverContent": {"modelTurn": {"role": "model", "parts": [{"text": text}]}}})
        say({"serverContent": {"generationComplete": True}})
        say({"serverContent": {"turnComplete": True}, "usageMetadata": TURN})
    if got[0] == CLOSE:
        peer.send(frame(CLOSE, got[1]))
    raise ConnectionError


def tls_front(address: str) -> Upstream:
    """Takes TLS off, and passes everything on to `address` ("http://127.0.0.1:1234")."""
    host, port = address.removeprefix("http://").rsplit(":", 1)

    def serve(peer: Peer) -> None:
        client: Any = peer.sock
        with socket.create_connection((host, int(port)), DEADLINE_S) as behind:
            other = {client: behind, behind: client}
            while ready := [client] if client.pending() else select.select([*other], [], [], DEADLINE_S)[0]:
                for source in ready:
                    if not (data := source.recv(65536)):
                        return
                    other[source].sendall(data)

    return Upstream(on_peer=serve)
