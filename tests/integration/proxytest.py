"""What the tests of the proxy share: its configuration, bodies, and what the ledger is asked."""

from __future__ import annotations

import json
from typing import Any

from upstreamtest import Upstream
from weirtest import DATA, Client, Daemon, TestCase, World, config, eventually, limit

KEY = "upstream-key-0123456789"
SAMPLES = DATA / "upstream" / "samples"
ERRORS = DATA / "upstream" / "errors"
GENERATE = "/proxy/default/v1beta/models/m:generateContent"
STREAM = "/proxy/default/v1beta/models/m:streamGenerateContent?alt=sse"
BODY = {"contents": [{"parts": [{"text": "Hello there, how are you?"}]}]}
USAGE = {"promptTokenCount": 7, "candidatesTokenCount": 5, "totalTokenCount": 12}
REPLY = {"candidates": [{"content": {"parts": [{"text": "Fine."}]}}], "usageMetadata": USAGE}
# A timeout that must pass in one place and not in another: longer than a busy machine stands still.
TIMEOUT_S = 3
LIMITS = limit(100) + limit(100_000, "input_tokens") + limit(50, "in_flight", "")


def event(text: str, usage: dict[str, int] | None = None) -> bytes:
    data: dict[str, Any] = {"candidates": [{"content": {"parts": [{"text": text}]}}]}
    if usage:
        data["usageMetadata"] = usage
    return b"data: " + json.dumps(data).encode() + b"\r\n\r\n"


class ProxyCase(TestCase):
    def upstream(self, *arguments: Any, **options: Any) -> Upstream:
        made = Upstream(*arguments, **options)
        self.addCleanup(made.close)
        return made

    def proxied(
        self,
        upstream: Upstream,
        limits: str = LIMITS,
        more: str = "",
        proxy: str = "",
        path: str = "",
        project: str = "",
        env: dict[str, str] | None = None,
        files: dict[str, str] | None = None,
        world: World | None = None,
        **options: Any,
    ) -> Daemon:
        """A daemon, started, whose project's base URL is `upstream`; `project`: more lines for that; `files`:
        more secrets."""
        running = self.make(
            config(
                limits,
                project=upstream.project(path=path) + project,
                more=more + f"\n[proxy]\n{proxy}\n",
                **options,
            ),
            env=env,
            world=world,
        )
        for name, text in ({"key": KEY} | (files or {})).items():
            (running.directory / name).write_text(text + "\n")
            (running.directory / name).chmod(0o600)
        return running.start()

    def only_call(self, client: Client) -> dict[str, Any]:
        """The one call in the ledger, once it is closed."""

        def closed() -> dict[str, Any] | None:
            calls = client.calls()
            self.assertLessEqual(len(calls), 1, calls)
            return calls[0] if calls and calls[0]["state"] != "open" else None

        return eventually("the call is closed", closed)

    def closed(self, client: Client, count: int) -> list[dict[str, Any]]:
        """That many calls, newest first, once all are closed: an answer does not wait for its settlement."""

        def all_closed() -> list[dict[str, Any]] | None:
            calls = client.calls()
            done = len(calls) == count and all(call["state"] != "open" for call in calls)
            return calls if done else None

        return eventually(f"{count} calls are closed", all_closed)

    def refused(self, client: Client, status: int) -> str:
        """What the proxy says to a call that it cannot make."""
        answer = client.post(GENERATE, BODY)
        error = self.check(answer, status)["error"]
        self.assertEqual(error["code"], status)
        self.assertTrue(error["message"].startswith("Weir: "), error)
        self.assertNotIn(KEY, answer.text)
        return error["message"]

    def nothing_held(self, client: Client) -> None:
        eventually("nothing is held", lambda: client.limit("*/in_flight")["held"] == 0)
