"""No secret is in anything that the daemon or a command emits: answers, log, metrics, events, ledger, terminal."""

from __future__ import annotations

import base64
import json
import pathlib
import unittest

from proxytest import BODY, GENERATE, REPLY, STREAM, ProxyCase, event
from test_events import Stream
from upstreamtest import Peer, Request
from weirtest import Answer, Client, Daemon, limit, raw_exchange, run_command

SECRETS = {
    "the daemon's token": "planted-admin-7f3a9c",
    "the token that replaces it": "planted-next-51bd02",
    "a consumer's token": "planted-consumer-88e1d4",
    "a project's key": "planted-key-c0ffee-2b",
    "another project's key": "planted-second-d15ea5e",
    "the HTTP proxy's password": "planted-password-0dd1",
    "the caller's own key": "planted-caller-f00d-9e",
    "a wrong token": "planted-wrong-bad1dea",
}
ADMIN, NEXT, CONSUMER, KEY, SECOND, PASSWORD, CALLER, WRONG = SECRETS.values()
VIA = f"weir:{PASSWORD}"
MORE = """
[[projects]]
name = "away"
use_catalog = false
api_key_file = "second"
base_url = "http://127.0.0.1:9"
[[projects]]
name = "behind"
use_catalog = false
api_key_file = "second"
base_url = "https://upstream.example"
via = "http://127.0.0.1:9"
via_auth_file = "via"
[[pools]]
name = "pool"
projects = ["default", "away"]
[[consumers]]
name = "chat"
token_file = "chat"
requests_per_s = 1000
"""
QUOTED = {
    "error": {
        "code": 403,
        "message": f"Permission denied: Consumer 'api_key:{KEY}' has been suspended.",
        "status": "PERMISSION_DENIED",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "CONSUMER_SUSPENDED",
                "metadata": {"consumer": f"api_key:{KEY}", "containerInfo": f"key={KEY}"},
            }
        ],
    }
}
EXHAUSTED = {
    "error": {
        "code": 429,
        "message": f"Quota exceeded for api_key:{KEY}, limit: 5, model: m",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [
                    {
                        "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
                        "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
                        "quotaDimensions": {"model": "quoted", "location": "global"},
                        "quotaValue": "5",
                    }
                ],
            }
        ],
    }
}


def script(peer: Peer, request: Request) -> None:
    if "models/quoted" in request.target:
        peer.answer(EXHAUSTED, "429 Too Many Requests")
    elif "models/suspended" in request.target:
        peer.answer(QUOTED, "403 Forbidden")
    elif "models/broken" in request.target:
        peer.sock.close()
    elif "alt=sse" in request.target:
        peer.answer(event("x", {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}))
    else:
        peer.answer(REPLY)


class Secrets(ProxyCase):
    def setUp(self) -> None:
        super().setUp()
        self.emitted: list[tuple[str, bytes]] = []

    def keep(self, where: str, what: bytes | str) -> None:
        self.emitted.append((where, what.encode() if isinstance(what, str) else what))

    def ask(
        self, client: Client, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> Answer:
        answer = client.send(method, path, body, headers)
        self.keep(f"{method} {path}: {answer.status}", str(answer.headers).encode() + answer.body)
        return answer

    def command(self, daemon: Daemon, *arguments: str, token: str = "admin") -> None:
        result = run_command(
            daemon.directory,
            *arguments,
            url=daemon.tcp,
            env={"WEIR_TOKEN_FILE": str(daemon.directory / token), "WEIR_COLUMNS": "200"},
        )
        self.keep("weir " + " ".join(arguments), result.stdout + result.stderr)

    def test_nothing_that_is_emitted_holds_a_secret(self) -> None:
        upstream = self.upstream(script)
        daemon = self.proxied(
            upstream,
            limits=limit(1000, models='["m", "suspended", "broken"]')
            + limit(1000, models='["quoted"]')
            + limit(3, models='["scarce"]'),
            more=MORE,
            server='token_file = "admin"',
            files={"key": KEY, "admin": ADMIN, "chat": CONSUMER, "second": SECOND, "via": VIA, "wrong": WRONG},
        )
        client = daemon.client()
        admin = {"Authorization": f"Bearer {ADMIN}"}
        consumer = {"Authorization": f"Bearer {CONSUMER}"}
        stream = Stream(daemon, headers=f"Authorization: Bearer {ADMIN}\r\n")
        self.addCleanup(stream.close)
        self.assertEqual(client.post(GENERATE, BODY, {"x-goog-api-key": CONSUMER}).status, 200)

        # Calls, by the API: those that go, are denied, settled by answers that quote keys, and wrong in every way.
        for headers in (admin, consumer):
            for model in ("m", "scarce", "scarce", "scarce", "quoted", "suspended"):
                answer = self.ask(client, "POST", "/v1/admissions", {"model": model}, headers)
                settlement = f"/v1/admissions/{(answer.json or {}).get('admission_id')}/settlement"
                refusal = EXHAUSTED if model == "quoted" else QUOTED
                upstreams = {"upstream": {"status": refusal["error"]["code"], "headers": {}, "body": refusal}}
                self.ask(client, "POST", settlement, upstreams, headers)
            self.ask(client, "POST", "/v1/calls", {"model": "m", "status": 200}, headers)
            self.ask(client, "POST", "/v1/admissions", b"{", headers)
            self.ask(client, "POST", "/v1/admissions", {"model": 5, "api_key": 1}, headers)
        for token in (WRONG, ADMIN[:-1], ""):
            self.ask(client, "GET", "/v1/quota", headers={"Authorization": f"Bearer {token}"})
        for path in ("/v1/quota", "/v1/usage", "/v1/calls", "/v1/observations", "/metrics", "/v1/usage?by=model"):
            for headers in ({}, admin, consumer):
                self.ask(client, "GET", path, headers=headers)
        for path in ("/", "/page/weir.js", "/openapi.json", "/livez", "/readyz"):
            self.ask(client, "GET", path, headers=admin)
        self.keep("a request that is none", raw_exchange(daemon.tcp, f"GET / {CALLER}\r\n\r\n".encode()))

        # By the proxy: keys in each place, upstreams that answer, refuse, break off, and cannot be reached.
        for place in (
            {"x-goog-api-key": CONSUMER},
            {"x-goog-api-key": ADMIN},
            {"Authorization": f"Bearer {CONSUMER}"},
            {"x-goog-api-key": CALLER},
        ):
            for model in ("m", "quoted", "suspended", "broken"):
                self.ask(client, "POST", GENERATE.replace("models/m", f"models/{model}"), BODY, place)
            self.ask(client, "POST", STREAM, BODY, place)
            for project in ("away", "behind", "pool", "none"):
                path = GENERATE.replace("/default/", f"/{project}/")
                self.ask(client, "POST", path, BODY, place)
            self.ask(client, "GET", "/proxy/default/v1beta/models", headers=place)
        for key in (CONSUMER, CALLER):
            self.ask(client, "POST", f"{GENERATE}?key={key}", BODY)

        # Before a reload begins them anew.
        kinds = {"admission", "settlement", "denial", "limit", "observation"}
        while kinds:
            heard = stream.next()
            kinds.discard(heard.type)
            self.keep("an event", json.dumps(heard.data))

        # The commands, with the right token and a wrong one.
        for token in ("admin", "chat", "wrong"):
            for arguments in (
                ["status"],
                ["status", "--json"],
                ["usage", "--json"],
                ["top", "--once"],
                ["statusline"],
                ["export", "calls"],
                ["admit", "--model", "m"],
                ["reload"],
            ):
                self.command(daemon, *arguments, token=token)
        for arguments in (["check-config", "weir.toml"], ["check-key", "--config", "weir.toml"], ["version"]):
            self.command(daemon, *arguments)

        # A configuration that is read again: with another token, and with errors beside secrets.
        (daemon.directory / "admin").write_text(NEXT + "\n")
        self.ask(client, "POST", "/v1/reload", "", admin)
        admin = {"Authorization": f"Bearer {NEXT}"}
        text = (daemon.directory / "weir.toml").read_text()
        (daemon.directory / "weir.toml").write_text(text + f'\n[proxy]\napi_key = "{KEY}"\n')
        self.ask(client, "POST", "/v1/reload", "", admin)
        self.command(daemon, "check-config", "weir.toml")
        (daemon.directory / "weir.toml").write_text(text)

        while (heard := stream.next()) is not None:  # it ended when the token did
            self.keep("an event", json.dumps(heard.data))
        self.assertEqual(daemon.stop(), 0)
        self.keep("the log", daemon.stderr())
        for file in pathlib.Path(daemon.directory).glob("weir.db*"):
            self.keep(file.name, file.read_bytes())

        # The keys were in use: they went where they belong.
        went = b"".join(request.head for request in upstream.requests)
        self.assertIn(KEY.encode(), went)
        for name, secret in SECRETS.items():
            if secret != KEY:
                self.assertNotIn(secret.encode(), went, f"{name} went upstream")
        forms = {name: [secret.encode()] for name, secret in SECRETS.items()}
        forms["the HTTP proxy's password"].append(base64.b64encode(VIA.encode()))
        for where, what in self.emitted:
            for name, texts in forms.items():
                for text_form in texts:
                    self.assertNotIn(text_form, what, f"{name} is in {where}")
        self.assertGreater(len(self.emitted), 100)


if __name__ == "__main__":
    unittest.main()
