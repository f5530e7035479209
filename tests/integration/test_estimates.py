"""Estimates: a request's body in place of its tokens, corrected by what such calls turned out to use."""

from __future__ import annotations

import base64
import struct
import unittest
from typing import Any

from weirtest import Client, TestCase, config, limit

TOKENS = "*/input_tokens/60s"
AMOUNT = 5000


def request(letters: int, **more: Any) -> dict[str, Any]:
    """A Gemini request whose text makes one token for five letters."""
    return {"contents": [{"parts": [{"text": "a" * letters}]}], **more}


class Estimates(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.running = self.daemon(config(limit(AMOUNT, "input_tokens", "60s") + limit(10**6)))
        self.client = self.running.client()

    def charged(self, client: Client, body: dict[str, Any], **fields: Any) -> tuple[str, int]:
        answer = self.check(client.admit(body=body, **fields), 201)
        self.assertIs(answer["estimated"], True)
        return answer["admission_id"], answer["charged"]["input_tokens"]

    def teach(self, factor: float, calls: int = 12) -> None:
        """Calls of 10 estimated tokens that use `factor` times as much."""
        for _ in range(calls):
            admission_id, _ = self.charged(self.client, request(50))
            usage = {"input_tokens": round(10 * factor), "output_tokens": 1}
            self.check(self.client.settle(admission_id, status=200, usage=usage), 200)

    def test_a_body_is_charged_as_estimated_and_the_answer_says_so(self) -> None:
        _, tokens = self.charged(self.client, request(500))
        self.assertEqual(tokens, 100)
        self.assertEqual(self.client.limit(TOKENS)["held"], 100)
        stated = self.check(self.client.admit(body=request(500), input_tokens=7), 201)
        self.assertEqual(stated["charged"]["input_tokens"], 7, "a stated number goes first")
        self.assertNotIn("estimated", stated)

    def test_the_body_names_the_model_and_the_requests(self) -> None:
        batch = {"requests": [{"content": {"parts": [{"text": "aaaaa"}]}}] * 3}
        answer = self.check(self.client.post("/v1/admissions", {"model": "e", "body": batch}), 201)
        self.assertEqual(answer["charged"], {"requests": 3, "input_tokens": 3})
        chat = {"model": "some-model", "messages": [{"role": "user", "content": "aaaaa"}]}
        answer = self.check(self.client.post("/v1/admissions", {"body": chat}), 201)
        self.assertEqual(answer["model"], "some-model")
        self.check_problem(self.client.post("/v1/admissions", {"body": batch}), 400)
        self.check_problem(self.client.admit(body="{}"), 400)

    def test_an_image_is_counted_by_the_size_in_its_header(self) -> None:
        png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 960, 540) + bytes(2000)
        data = {"mimeType": "image/png", "data": base64.b64encode(png).decode()}
        body = {"contents": [{"parts": [{"inlineData": data}]}]}
        self.assertEqual(self.charged(self.client, body, model="gemini-2.5-flash")[1], 6 * 258)
        self.assertEqual(self.charged(self.client, body, model="gemini-3-pro-preview")[1], 1120)

    def test_after_calls_that_used_half_as_much_again_the_next_is_charged_so(self) -> None:
        self.teach(1.5)
        admission_id, tokens = self.charged(self.client, request(1000))
        self.assertGreaterEqual(tokens, 290)
        self.assertLessEqual(tokens, 320)
        self.check(self.client.delete(f"/v1/admissions/{admission_id}"), 204)
        metrics = self.client.metrics()
        self.assertEqual(metrics.sum("weir_estimate_error_ratio_count", model="m"), 12)
        short = metrics.sum("weir_estimate_error_ratio_bucket", model="m", le="+Inf") - metrics.sum(
            "weir_estimate_error_ratio_bucket", model="m", le="1.25"
        )
        self.assertEqual(short, 10, "those before there was experience")

        self.running.stop()
        self.running.start()
        again = self.running.client()
        self.assertEqual(self.charged(again, request(1000))[1], tokens, "kept over a restart")

    def test_an_estimate_alone_never_makes_a_call_one_that_never_fits(self) -> None:
        admission_id, tokens = self.charged(self.client, request(4 * 5 * AMOUNT))
        self.assertEqual(tokens, AMOUNT)
        self.check(self.client.delete(f"/v1/admissions/{admission_id}"), 204)
        self.check_problem(self.client.admit(input_tokens=AMOUNT + 1), 422)
        self.teach(1.5)
        denied = self.check_problem(self.client.admit(body=request(4 * AMOUNT)), 429)
        self.assertEqual(denied["violations"][0]["requested"], AMOUNT, "6000 without the cut")

    def test_what_an_estimate_was_short_of_stays_charged(self) -> None:
        admission_id, _ = self.charged(self.client, request(50))
        usage = {"input_tokens": AMOUNT + 100, "output_tokens": 1}
        self.check(self.client.settle(admission_id, status=200, usage=usage), 200)
        self.assertEqual(self.client.limit(TOKENS)["used"], AMOUNT + 100)
        self.check_problem(self.client.admit(body=request(50)), 429)

    def test_a_retry_with_the_same_key_gets_the_same_answer(self) -> None:
        key = {"Idempotency-Key": "k"}
        first = self.check(self.client.admit(body=request(500), headers=key), 201)
        self.assertEqual(self.check(self.client.admit(body=request(500), headers=key), 201), first)
        self.running.kill()
        self.running.start()
        again = self.running.client()
        self.assertEqual(self.check(again.admit(body=request(500), headers=key), 201), first)


if __name__ == "__main__":
    unittest.main()
