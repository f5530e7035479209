"""What real SDKs do with the daemon between them and an upstream of ours: the same for every language.

Most stories are told twice, to the upstream directly and through the daemon: the SDK must get the same, and the
upstream must see the same, but for the key. A driver per language does the SDK's part.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import threading
import unittest
from collections.abc import Callable
from typing import Any, ClassVar

import sdk_packages
from live_api import tls_front
from sdk_upstream import openai_event, stand_in, text_event
from upstreamtest import Peer, Request, Script, Upstream, certificates
from weirtest import DATA, DEADLINE_S, Client, Daemon, TestCase, config, eventually, limit, threads

KEY = "upstream-key-0123456789"
CALLERS_KEY = "callers-key-0123456789"
ERRORS = DATA / "upstream" / "errors"
ANSWERS = ("Hello\n", "The current time is Noon.\n")  # of the upstream, on each API's path
README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
TOGETHER = 6
# Set by the connection or by who holds the key, not by the SDK for this call.
NOT_COMPARED = {"host", "connection", "accept-encoding", "content-length", "authorization", "x-goog-api-key"}


class Driver:
    """The SDK's process: one line of JSON asks, one line answers."""

    def __init__(self, command: list[str], env: dict[str, str]) -> None:
        self._command = command
        self._env = {name: value for name, value in os.environ.items() if "PROXY" not in name.upper()} | env
        self._process: subprocess.Popen[str] | None = None

    def ask(self, **question: Any) -> Any:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=self._env
            )
        assert self._process.stdin and self._process.stdout
        hung = threading.Timer(DEADLINE_S, self._process.kill)
        hung.start()
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        finally:
            hung.cancel()
        if not line:
            self.end()
            raise AssertionError(f"the SDK's process ended, or hung, at {question}")
        answer = json.loads(line)
        if "failed" in answer:
            raise AssertionError(f"the SDK failed at {question}:\n{answer['failed']}")
        return answer

    def run(self, program: str) -> subprocess.CompletedProcess[str]:
        """A program of its own, where it finds the SDKs."""
        interpreter, driver = self._command
        file = pathlib.Path(driver).with_stem("snippet") if "node" in interpreter else None
        if file is not None:
            file.write_text(program)  # modules are looked for beside the file that imports them
        arguments = [str(file)] if file else ["-c", program]
        return subprocess.run(
            [interpreter, *arguments], capture_output=True, text=True, timeout=DEADLINE_S, env=self._env, check=False
        )

    def end(self) -> None:
        if self._process is not None:
            self._process.communicate(timeout=DEADLINE_S)  # the end of its input is the end of its work
            self._process = None


def main(find_driver: Callable[[], tuple[list[str], dict[str, str]]]) -> None:
    """Runs the stories of the calling program, or says why it cannot."""
    try:
        command, env = find_driver()
    except sdk_packages.Absent as why:
        print(f"skipped: {why}")
        sys.exit(sdk_packages.SKIPPED)
    Stories.driver = Driver(command, env | {"SSL_CERT_FILE": str(certificates() / "ca.pem")})
    program = unittest.main(exit=False)
    Stories.driver.end()
    sys.exit(not program.result.wasSuccessful())


def seen(request: Request) -> dict[str, Any]:
    """What the upstream got, without what may differ."""
    return {
        "method": request.method,
        "target": re.sub(r"(?<=[?&])key=[^&]*&?", "", request.target),
        "headers": sorted((name.lower(), value) for name, value in request.headers if name.lower() not in NOT_COMPARED),
        "body": request.body,
    }


# --- the stories --------------------------------------------------------------------------------


class Stories(TestCase):
    driver: ClassVar[Driver]
    provider = ""
    path = ""  # that the SDK's base URL ends in

    def setUp(self) -> None:
        super().setUp()
        self.maxDiff = None

    def upstream(self, script: Script = stand_in, tls: bool = True) -> Upstream:
        made = Upstream(script, tls=tls)
        self.addCleanup(made.close)
        return made

    def started(self, upstream: Upstream, limits: str = "", more: str = "", server: str = "") -> Daemon:
        """A daemon in front of it, with a limit of every kind."""
        every = limit(1000) + limit(10_000_000, "input_tokens") + limit(100, "in_flight", "")
        running = self.make(config(limits or every, project=upstream.project(self.provider), more=more, server=server))
        self.write_secret(running, "key", KEY)
        return running.start()

    def write_secret(self, running: Daemon, name: str, secret: str) -> None:
        (running.directory / name).write_text(secret)
        (running.directory / name).chmod(0o600)

    def asked(self, do: str, base_url: str, **question: Any) -> Any:
        """What the SDK gave: {"answer"} or {"error"}."""
        fields = {"model": "m", "prompt": "Say hello.", "api_key": CALLERS_KEY} | question
        return self.driver.ask(do=do, base_url=base_url + self.path, **fields)

    def through(self, running: Daemon, do: str, project: str = "default", **question: Any) -> Any:
        return self.asked(do, f"{running.tcp}/proxy/{project}", **question)

    def answered(self, got: Any) -> Any:
        self.assertIn("answer", got)
        return got["answer"]

    def same(self, do: str, script: Script = stand_in, **question: Any) -> tuple[Any, list[Any]]:
        """Asks directly and through the daemon; what the SDK gave, and the calls in the ledger."""
        direct, behind = self.upstream(script, tls=False), self.upstream(script)
        running = self.started(behind)
        expected = self.asked(do, direct.url, **question)
        got = self.through(running, do, **question)
        self.assertEqual(got, expected)
        self.assertEqual([seen(request) for request in behind.requests], [seen(request) for request in direct.requests])
        self.keys_replaced(behind)
        return got.get("answer", got), self.closed(running.client())

    def keys_replaced(self, upstream: Upstream) -> None:
        self.assertTrue(upstream.requests)
        for request in upstream.requests:
            keys = {request.header("x-goog-api-key"), (request.header("authorization") or "").removeprefix("Bearer ")}
            self.assertEqual(keys - {None, ""}, {KEY}, request.head)
        for peer in upstream.peers:
            self.assertNotIn(CALLERS_KEY.encode(), peer.raw)

    def closed(self, client: Client) -> list[dict[str, Any]]:
        """The ledger's calls, oldest first, once none is open."""

        def all_closed() -> list[dict[str, Any]] | None:
            calls = client.calls()
            return None if any(call["state"] == "open" for call in calls) else [calls]

        return list(reversed(eventually("no call is open", all_closed)[0]))

    def tokens(self, call: dict[str, Any]) -> tuple[int, int, int]:
        """Input, output, thinking, of a call that ended well."""
        self.assertEqual((call["state"], call["status"], call["estimated"]), ("settled", 200, False), call)
        usage = call["usage"]
        return usage["input_tokens"], usage["output_tokens"], usage["thoughts_tokens"]


class CommonStories(Stories):
    """For every API; `kind` is the prefix of the driver's verbs."""

    kind = ""

    def event(self, text: str) -> bytes:
        raise NotImplementedError

    def retry_delay_s(self, error: Any) -> float:
        """What the SDK's rate limit error says."""
        raise NotImplementedError

    def test_a_chat_carries_its_history(self) -> None:
        answers, calls = self.same(f"{self.kind}_chat", prompts=["One.", "Two."])
        self.assertEqual(len(answers), 2)
        self.assertEqual(len(calls), 2)

    def test_a_tool_is_called_and_answered(self) -> None:
        answer, calls = self.same(f"{self.kind}_tool", prompt="What is the weather in Paris?")
        self.assertEqual((answer["call"], answer["arguments"]), ("get_weather", {"city": "Paris"}))
        self.assertEqual(self.tokens(calls[0]), (52, 15, 40))

    def test_a_stream_that_is_left_ends_upstream_and_is_settled_by_what_was_seen(self) -> None:
        left = threading.Event()

        def script(peer: Peer, request: Request) -> None:
            peer.events()
            peer.chunk(self.event("first"))
            peer.gone()
            left.set()

        running = self.started(self.upstream(script))
        self.assertEqual(self.answered(self.through(running, f"{self.kind}_abort")), "first")
        self.assertTrue(left.wait(DEADLINE_S), "the connection upstream stays open")
        [call] = self.closed(running.client())
        self.assertEqual((call["state"], call["status"], call["estimated"]), ("settled", 200, True))
        self.assertEqual((call["usage"]["input_tokens"], call["usage"]["output_tokens"]), (4, 2))
        self.assertEqual(running.client().limit("*/in_flight")["held"], 0)

    def test_streams_side_by_side_do_not_mix(self) -> None:
        all_there = threading.Barrier(TOGETHER)

        def script(peer: Peer, request: Request) -> None:
            number = re.search(rb"number (\d)", request.body)
            assert number
            all_there.wait(DEADLINE_S)
            peer.events()
            for _ in range(20):
                peer.chunk(self.event(number[1].decode()))
            peer.chunk(b"")

        running = self.started(self.upstream(script))
        got = self.through(running, f"{self.kind}_together", prompts=[f"number {i}" for i in range(TOGETHER)])
        self.assertEqual(self.answered(got), [str(i) * 20 for i in range(TOGETHER)])
        calls = self.closed(running.client())
        self.assertEqual([self.tokens(call) for call in calls], [(4, 2, 0)] * TOGETHER)

    def test_a_denial_is_the_sdks_own_rate_limit_error(self) -> None:
        upstream = self.upstream()
        running = self.started(upstream, limit(1, window="10m"))  # so long a delay no SDK waits out by itself
        self.answered(self.through(running, f"{self.kind}_generate"))
        for verb in ("generate", "stream"):
            error = self.through(running, f"{self.kind}_{verb}", retries=2)["error"]
            self.assertEqual((error["status"], error["kind"]), (429, "rate limit"), error)
            self.assertIn("1 of 1 requests per 10m", json.dumps(error["body"]))
            self.assertTrue(0 < self.retry_delay_s(error) < 610, error)
        self.assertEqual(len(upstream.requests), 1)
        self.assertEqual(len(self.closed(running.client())), 1)

    def test_a_call_waits_for_room_and_the_sdk_does_not_notice(self) -> None:
        running = self.started(self.upstream(), limit(1, "in_flight", ""))
        client = running.client()
        before = self.admitted(client)

        def make_room(_: int) -> None:
            eventually("it waits", lambda: client.metrics().sum("weir_queue_waiting") == 1)
            self.check(client.settle(before, status=200), 200)

        with threads(1, make_room):
            headers = self.answered(self.through(running, f"{self.kind}_headers"))
        self.assertGreater(float(headers["x-weir-waited"]), 0)

    def test_a_pool_takes_the_next_project_then_the_next_model(self) -> None:
        upstream = self.upstream()
        one_big_call = limit(1, models='["big"]')
        second = upstream.project(self.provider).replace('"key"', '"key2"')
        more = f"""
[[projects]]
name = "second"
{second}
{one_big_call}
[[pools]]
name = "both"
projects = ["default", "second"]
fallback = {{ "big" = ["small"] }}
"""
        running = self.make(config(one_big_call, project=upstream.project(self.provider), more=more))
        self.write_secret(running, "key", KEY)
        self.write_secret(running, "key2", "second-key")
        running.start()
        told = []
        for _ in range(3):
            headers = self.answered(self.through(running, f"{self.kind}_headers", "both", model="big"))
            told.append((headers["x-weir-project"], headers["x-weir-model"]))
        self.assertEqual(told, [("default", "big"), ("second", "big"), ("default", "small")])
        self.assertEqual([self.model_asked(request) for request in upstream.requests], ["big", "big", "small"])
        keys = [
            request.header("x-goog-api-key") or (request.header("authorization") or "").removeprefix("Bearer ")
            for request in upstream.requests
        ]
        self.assertEqual(keys, [KEY, "second-key", KEY])
        self.assertEqual([(call["project"], call["model"]) for call in self.closed(running.client())], told)

    def model_asked(self, request: Request) -> str:
        raise NotImplementedError

    def test_upstreams_errors_pass_as_they_are(self) -> None:
        for name, status in (
            ("10-400-api-key-invalid.json", "400 Bad Request"),
            ("24-403-service-disabled.json", "403 Forbidden"),
            ("12-404-model-not-found.json", "404 Not Found"),
            ("02-429-free-rpm.json", "429 Too Many Requests"),
            ("22-503-overloaded.json", "503 Service Unavailable"),
        ):
            with self.subTest(name):
                body = (ERRORS / name).read_bytes()

                def script(peer: Peer, request: Request, body: bytes = body, status: str = status) -> None:
                    peer.answer(body, status)

                got, [call] = self.same(f"{self.kind}_generate", script)
                self.assertEqual(got["error"]["status"], int(status[:3]))
                self.assertEqual((call["state"], call["status"]), ("settled", int(status[:3])))

    def test_the_sdks_key_may_be_a_consumers_token(self) -> None:
        upstream = self.upstream()
        more = '[[consumers]]\nname = "chat"\ntoken_file = "chat"\n'
        running = self.make(
            config(limit(1000), project=upstream.project(self.provider), more=more, server='token_file = "admin"')
        )
        for name, secret in (("key", KEY), ("admin", "admin-token"), ("chat", "chat-token")):
            self.write_secret(running, name, secret)
        running.start()
        error = self.through(running, f"{self.kind}_generate")["error"]
        self.assertEqual(error["status"], 401, error)
        self.answered(self.through(running, f"{self.kind}_generate", api_key="chat-token"))
        [call] = self.closed(Client(running.unix))
        self.assertEqual(call["consumer"], "chat")
        self.keys_replaced(upstream)


class ReadmeStories(Stories):
    """The README's snippets as they stand, but for the daemon's address."""

    provider = "gemini"
    language = ""  # as their fences say

    def snippets(self) -> list[str]:
        section = README.read_text().split("## Use it with your SDK")[1].split("\n## ")[0]
        return re.findall(rf"^```{self.language}\n(.*?)^```", section, re.M | re.S)

    def test_each_of_them_prints_the_answer(self) -> None:
        self.assertTrue(self.snippets())
        upstream = self.upstream()
        running = self.started(upstream)
        for number, snippet in enumerate(self.snippets(), 1):
            with self.subTest(snippet.splitlines()[0]):
                self.assertIn("http://127.0.0.1:8411", snippet)
                done = self.driver.run(snippet.replace("http://127.0.0.1:8411", running.tcp))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn(done.stdout, ANSWERS)
                calls = self.closed(running.client())
                self.assertEqual(len(calls), number)
                self.assertEqual((calls[-1]["model"], calls[-1]["status"]), ("gemini-2.5-flash", 200))
        self.keys_replaced(upstream)


class GeminiStories(CommonStories):
    provider = kind = "gemini"
    dials_wss = False  # for the Live API, whatever the base URL says

    def event(self, text: str) -> bytes:
        return text_event(text)

    def model_asked(self, request: Request) -> str:
        return request.target.split("/models/")[1].split(":")[0]

    def retry_delay_s(self, error: Any) -> float:
        details = error["body"]["error"]["details"]
        [retry] = [detail for detail in details if detail["@type"] == "type.googleapis.com/google.rpc.RetryInfo"]
        [failure] = [detail for detail in details if detail["@type"] == "type.googleapis.com/google.rpc.QuotaFailure"]
        self.assertEqual(failure["violations"][0]["quotaValue"], "1")
        return float(retry["retryDelay"].removesuffix("s"))

    def test_a_call(self) -> None:
        answer, [call] = self.same("gemini_generate")
        self.assertEqual(answer, {"text": "Hello", "usage": [9, 1, 112]})
        self.assertEqual((call["project"], call["model"], self.tokens(call)), ("default", "m", (9, 1, 102)))

    def test_a_stream(self) -> None:
        answer, [call] = self.same("gemini_stream")
        self.assertEqual(answer["usage"], [9, 1, 115])
        self.assertEqual(self.tokens(call), (9, 1, 105))

    def test_a_streamed_interaction(self) -> None:
        answer, [call] = self.same("gemini_interaction")
        self.assertIn("interaction.completed", answer)
        self.assertEqual(self.tokens(call), (11, 90, 245))

    def test_each_text_of_a_batch_is_a_request(self) -> None:
        upstream = self.upstream()
        running = self.started(upstream)
        got = self.through(running, "gemini_embed", texts=["one", "two", "three"])
        self.assertEqual(self.answered(got), [[0.5, -0.25]] * 3)
        self.assertEqual(len(upstream.requests[0].json["requests"]), 3)
        self.assertEqual(running.client().limit("*/requests/day")["used"], 3)
        self.assertEqual(running.client().limit("*/input_tokens/day")["used"], 12)

    def test_embeddings_pass_as_they_are(self) -> None:
        answer, [call] = self.same("gemini_embed", texts=["one", "two"])
        self.assertEqual(len(answer), 2)
        self.assertEqual(self.tokens(call), (8, 0, 0))

    def test_what_costs_nothing_is_not_recorded(self) -> None:
        answer, calls = self.same("gemini_free")
        self.assertEqual(answer, {"count": 12, "models": ["models/m"]})
        self.assertEqual(calls, [])

    def live(self, running: Daemon, **question: Any) -> Any:
        url = running.tcp
        if self.dials_wss:
            front = tls_front(url)
            self.addCleanup(front.close)
            url = front.url
        return self.answered(self.asked("gemini_live", f"{url}/proxy/default", **question))

    def handshake(self, request: Request) -> dict[str, Any]:
        """What the upstream got, without what is new for each session, and the offer that the daemon keeps back."""
        got = seen(request)
        got["target"] = "/" + got["target"].strip("/?")  # JavaScript's SDK doubles the slash after a bare host
        kept_back = ("sec-websocket-key", "sec-websocket-extensions")
        got["headers"] = [(name, value) for name, value in got["headers"] if name not in kept_back]
        return got

    def test_a_live_session_is_the_same_and_its_turns_are_added_up(self) -> None:
        direct, behind = self.upstream(tls=self.dials_wss), self.upstream()
        running = self.started(behind)
        prompts = ["One.", "Two.", "Three."]
        expected = self.answered(self.asked("gemini_live", direct.url, prompts=prompts))
        self.assertEqual(expected, [["You said: " + prompt, 43] for prompt in prompts])
        self.assertEqual(self.live(running, prompts=prompts), expected)
        [call] = self.closed(running.client())
        told = (call["model"], call["state"], call["status"], call["estimated"])
        self.assertEqual(told, ("m", "settled", 101, False))
        used = call["usage"]
        self.assertEqual((used["input_tokens"], used["output_tokens"], used["thoughts_tokens"]), (120, 9, 6))
        self.assertEqual(running.client().limit("*/in_flight")["held"], 0)
        [heard], [heard_directly] = behind.requests, direct.requests
        self.assertEqual(self.handshake(heard), self.handshake(heard_directly))
        self.assertEqual(json.loads(heard.body.splitlines()[0])["setup"]["model"], "models/m")
        self.assertEqual(len(heard.body.splitlines()), 1 + len(prompts))
        self.keys_replaced(behind)

    def test_a_live_session_without_room_is_closed_with_the_reason(self) -> None:
        running = self.started(self.upstream(), limit(1, "in_flight", ""), more="[proxy]\nwait_s = 0\n")
        self.check(running.client().admit("m"), 201)
        refused = self.live(running, prompts=["One."])
        self.assertIn("1013", refused["closed"])
        self.assertIn("Weir: ", refused["closed"])

    def test_a_file_is_uploaded_through_the_daemon(self) -> None:
        upstream = self.upstream()
        running = self.started(upstream)
        size = 300_000
        got = self.answered(self.through(running, "gemini_file", size=size))
        self.assertEqual(got, {"name": "files/abc", "size": size})
        self.assertEqual(upstream.requests[-1].body, b"f" * size)
        self.keys_replaced(upstream)
        self.assertEqual(self.closed(running.client()), [])


class OpenAiStories(CommonStories):
    """openai, against an OpenAI-compatible relay and against Gemini's paths for it."""

    provider = kind = "openai"
    path = "/v1"

    def event(self, text: str) -> bytes:
        return openai_event(text)

    def model_asked(self, request: Request) -> str:
        return request.json["model"]

    def retry_delay_s(self, error: Any) -> float:
        body = error["body"]
        self.assertEqual((body["type"], body["code"]), ("requests", "rate_limit_exceeded"))
        return float(error["retry_after"])

    def test_a_call(self) -> None:
        answer, [call] = self.same("openai_generate")
        self.assertEqual(answer, {"text": "The current time is Noon.", "usage": [66, 6, 100]})
        self.assertEqual((call["project"], call["model"], self.tokens(call)), ("default", "m", (66, 6, 28)))

    def test_a_stream(self) -> None:
        answer, [call] = self.same("openai_stream")
        self.assertEqual("".join(answer), "No, 391 = 17 × 23.")
        self.assertEqual(self.tokens(call), (11, 24, 526))

    def test_embeddings(self) -> None:
        answer, [call] = self.same("openai_embed", texts=["one", "two"])
        self.assertEqual(answer, [[0.5, -0.25]] * 2)
        self.assertEqual(self.tokens(call), (8, 0, 0))

    def test_a_response(self) -> None:
        answer, [call] = self.same("openai_responses")
        self.assertEqual(answer, {"text": "Hello", "total": 116})
        self.assertEqual(call["usage"]["total_tokens"], 116)

    def test_the_list_of_models_is_not_recorded(self) -> None:
        answer, calls = self.same("openai_free")
        self.assertEqual((answer, calls), (["m"], []))

    def test_the_sdk_tries_again_when_a_denial_says_so(self) -> None:
        upstream = self.upstream()
        running = self.started(upstream, limit(1, window="1s"), more="[proxy]\nwait_s = 0\n")
        for _ in range(2):
            self.answered(self.through(running, "openai_generate", retries=5))
        self.assertEqual(len(upstream.requests), 2)


class OpenAiOnGeminiStories(OpenAiStories):
    provider = "gemini"
    path = "/v1beta/openai/"

    test_a_response = None  # Gemini has none
