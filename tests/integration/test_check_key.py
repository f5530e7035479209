"""weir check-key against an upstream of ours: what it asks, what it says, how it ends."""

from __future__ import annotations

import json
import subprocess
import unittest
from typing import Any

from upstreamtest import Peer, Request, Script, Upstream
from weirtest import DATA, TestCase, run_command

KEY = "upstream-key-0123456789"
ERRORS = DATA / "upstream" / "errors"
GEMINI_MODELS = {"models": [{"name": "models/gemini-b"}, {"name": "models/gemini-a"}]}
OPENAI_MODELS = {"object": "list", "data": [{"id": "gpt-b"}, {"id": "gpt-a"}]}


class CheckKey(TestCase):
    def upstream(self, script: Script) -> Upstream:
        made = Upstream(script)
        self.addCleanup(made.close)
        return made

    def configure(self, *projects: str) -> None:
        """A configuration of projects p0, p1, …"""
        text = "\n".join(f'[[projects]]\nname = "p{i}"\n{lines}' for i, lines in enumerate(projects))
        (self.directory / "weir.toml").write_text(text)
        (self.directory / "key").write_text(KEY + "\n")
        (self.directory / "key").chmod(0o600)

    def ask(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        result = run_command(self.directory, "check-key", "--config", "weir.toml", *arguments)
        self.assertNotIn(KEY, result.stdout + result.stderr)
        return result

    def verdict(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        result = self.ask("--json", *arguments)
        [key] = json.loads(result.stdout)["keys"]
        return result.returncode, key

    def test_a_good_key_lists_its_models(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(GEMINI_MODELS))
        self.configure(upstream.project())
        result = self.ask("--models")
        self.assertEqual(
            (result.returncode, result.stdout, result.stderr),
            (0, "p0: good: gemini takes it and lists 2 models\n  gemini-a\n  gemini-b\n", ""),
        )
        [request] = upstream.requests
        self.assertEqual((request.method, request.target), ("GET", "/v1beta/models?pageSize=1000"))
        self.assertEqual(request.header("x-goog-api-key"), KEY)
        self.assertEqual(request.header("host"), f"localhost:{upstream.port}")

    def test_openai_forms_are_asked_in_their_way(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(OPENAI_MODELS))
        for provider, base, targets in (
            ("openai", "", ["/v1/models"]),
            ("openai", "/v1", ["/v1/models"]),
            ("groq", "/openai", ["/openai/v1/models"]),
            ("openrouter", "/api", ["/api/v1/key", "/api/v1/models"]),
        ):
            with self.subTest(provider, base=base):
                upstream.requests.clear()
                self.configure(upstream.project(provider, base))
                code, key = self.verdict()
                self.assertEqual((code, key["verdict"], key["models"]), (0, "good", ["gpt-a", "gpt-b"]))
                self.assertEqual([request.target for request in upstream.requests], targets)
                for request in upstream.requests:
                    self.assertEqual(request.header("authorization"), f"Bearer {KEY}")

    def test_what_openrouter_tells_anybody_proves_nothing(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            if request.target.endswith("/key"):
                peer.answer({"error": {"message": "User not found.", "code": 401}}, "401 Unauthorized")
            else:
                peer.answer(OPENAI_MODELS)

        self.configure(self.upstream(script).project("openrouter"))
        code, key = self.verdict()
        self.assertEqual((code, key["verdict"], key["trouble"]), (1, "bad", "invalid"))

    def test_recorded_refusals_in_words(self) -> None:
        for name, status, trouble, words in (
            ("10-400-api-key-invalid", 400, "invalid", "not known"),
            ("28-400-api-key-expired", 400, "expired", "has expired"),
            ("29-400-api-key-not-found", 400, "invalid", "not known"),
            ("25-403-key-leaked", 403, "leaked", "found in public"),
            ("29b-403-http-referrer-blocked", 403, "restricted", "restricted to certain websites"),
            ("24-403-service-disabled", 403, "service_disabled", "has not switched this API on"),
            ("26-403-consumer-suspended", 403, "suspended", "has suspended"),
            ("15-429-prepay-depleted", 429, "no_credit", "nobody pays"),
            ("13-429-bare-no-details", 429, None, "quota"),
            ("22-503-overloaded", 503, None, "trouble of its own"),
            ("12-404-model-not-found", 404, None, "is base_url right?"),
        ):
            with self.subTest(name):
                body = (ERRORS / f"{name}.json").read_bytes()

                def script(peer: Peer, request: Request, body: bytes = body, status: int = status) -> None:
                    peer.answer(body, f"{status} Told")

                self.configure(self.upstream(script).project())
                result = self.ask()
                self.assertEqual((result.returncode, result.stderr), (1, ""))
                self.assertEqual(result.stdout.count("\n"), 1, result.stdout)
                self.assertIn(words, result.stdout)
                code, key = self.verdict()
                self.assertEqual((code, key["status"], key["trouble"]), (1, status, trouble))
                self.assertEqual(key["verdict"], "bad" if trouble else "unclear")

    def test_a_key_that_is_quoted_back_is_not_printed(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            peer.answer({"error": {"message": f"Incorrect API key provided: {KEY}"}}, "401 Unauthorized")

        self.configure(self.upstream(script).project("openai"))
        self.assertEqual(self.ask().returncode, 1)
        self.assertEqual(self.verdict()[1]["trouble"], "invalid")

    def test_answers_that_are_none(self) -> None:
        def moved(peer: Peer, request: Request) -> None:
            peer.answer(b"", "301 Moved Permanently", {"Location": "https://elsewhere/"})

        for script, words in (
            (moved, "go to https://elsewhere/"),
            (lambda peer, request: peer.answer(b"<html>"), "no list of models"),
            (lambda peer, request: peer.answer(b"[]"), "no list of models"),
            (lambda peer, request: peer.answer({"models": 7}), "no list of models"),
            (lambda peer, request: peer.answer({"models": [7, {}, {"name": 7}]}), None),
            (lambda peer, request: peer.answer(b" " * (9 << 20)), "larger than 8 MiB"),
            (lambda peer, request: peer.reset(), ""),
        ):
            self.configure(self.upstream(script).project())
            code, key = self.verdict()
            if words is None:
                self.assertEqual((code, key["verdict"], key["models"]), (0, "good", []))
            else:
                self.assertEqual((code, key["verdict"]), (1, "unclear"), key)
                self.assertIn(words, key["meaning"])

    def test_an_upstream_that_is_not_there_or_not_to_be_trusted(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(GEMINI_MODELS))
        lines = upstream.project().replace(upstream.url, f"https://127.0.0.2:{upstream.port}")
        self.configure(lines)
        self.assertEqual((self.verdict()[0], self.verdict()[1]["verdict"]), (1, "unclear"))
        untrusted = "\n".join(line for line in upstream.project().split("\n") if not line.startswith("ca_file"))
        self.configure(untrusted)
        code, key = self.verdict()
        self.assertEqual((code, key["verdict"], key["status"]), (1, "unclear", None))
        self.assertIn("certificate", key["meaning"])
        self.assertEqual(upstream.requests, [])

    def test_several_projects_and_wrong_usage(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(GEMINI_MODELS))
        self.configure(upstream.project(), upstream.project(key=False))
        result = self.ask()
        self.assertEqual(result.returncode, 0)
        self.assertEqual(result.stdout.splitlines()[1], "p1: missing: the project has no api_key_file")
        for arguments, words in (
            (("--project", "p1"), "no api_key_file"),
            (("--project", "p2"), 'project "p2" is not configured'),
        ):
            result = self.ask(*arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.assertIn(words, result.stderr)
        self.configure(upstream.project(key=False))
        self.assertEqual(self.ask().returncode, 2)
        (self.directory / "weir.toml").write_text("[[projects]]\nname = 7\n")
        self.assertEqual(self.ask().returncode, 2)


if __name__ == "__main__":
    unittest.main()
