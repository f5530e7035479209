"""What a 429 of the upstream teaches: which limit is used up, and until when."""

from __future__ import annotations

import json
import unittest

from weirtest import DATA, TestCase, config, eventually, limit, utc

MIDNIGHT = "2026-11-23T08:00:00.000Z"


def daily_429(model: str, amount: int = 20) -> dict:
    """As Gemini says it: a day's quota, with a hint that is far too short."""
    return {
        "error": {
            "code": 429,
            "status": "RESOURCE_EXHAUSTED",
            "message": "You exceeded your current quota",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [
                        {
                            "quotaMetric": "generativelanguage.googleapis.com/"
                            "generate_content_free_tier_requests",
                            "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
                            "quotaDimensions": {"location": "global", "model": model},
                            "quotaValue": str(amount),
                        }
                    ],
                },
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "21s"},
            ],
        }
    }


class Observations(TestCase):
    MODEL = "gemini-2.5-flash"
    LIMIT = "gemini-2.5-flash/requests/day"

    def setUp(self) -> None:
        super().setUp()
        self.held_world = self.world()
        self.held_world.freeze("2026-11-22T20:00:00Z")
        self.running = self.daemon(
            config(
                limit(500, models=f'["{self.MODEL}"]')
                + limit(50, models=f'["{self.MODEL}"]', window="60s")
            ),
            world=self.held_world,
        )
        self.client = self.running.client()

    def refused_upstream(self, body: dict | None = None, eventual: bool = False) -> None:
        if eventual:  # what opens with time is looked at once a second
            answers = []

            def goes() -> bool:
                answers.append(self.client.admit(self.MODEL))
                return answers[-1].status == 201

            eventually("a call goes", goes)
            admission_id = answers[-1].json["admission_id"]
        else:
            admission_id = self.admitted(self.client, self.MODEL)
        self.check(
            self.client.settle(
                admission_id,
                {
                    "upstream": {
                        "status": 429,
                        "headers": {},
                        "body": body or daily_429(self.MODEL),
                    }
                },
            ),
            200,
        )

    def exhausted(self) -> None:
        problem = self.check_problem(self.client.admit(self.MODEL), 429)
        self.assertEqual(problem["violated-policies"], [self.LIMIT])
        self.assertGreaterEqual(utc(problem["retry_at"]), utc(MIDNIGHT))
        self.assertLess((utc(problem["retry_at"]) - utc(MIDNIGHT)).total_seconds(), 1)

    def test_a_days_quota_that_is_used_up_is_closed_until_pacific_midnight_whatever_the_hint_says(
        self,
    ) -> None:
        self.refused_upstream()
        self.exhausted()
        self.assertEqual(self.client.limit(self.LIMIT)["remaining"], 0)
        self.held_world.pass_time(30)  # past the hint
        self.exhausted()
        self.held_world.pass_time(31)  # a minute later one call may find out
        self.refused_upstream(eventual=True)
        self.exhausted()
        self.running.restart()  # observations are durable
        self.client = self.running.client()
        self.exhausted()
        self.held_world.move_to("2026-11-23T07:59:59Z")
        self.exhausted()
        self.held_world.move_to("2026-11-23T08:00:01Z")
        self.admitted(self.client, self.MODEL)

    def test_an_observation_is_listed_with_its_evidence_and_can_be_forgotten(self) -> None:
        self.assertEqual(
            self.check(self.client.get("/v1/observations"), 200), {"observations": []}
        )
        self.refused_upstream()
        amount, observation = self.check(self.client.get("/v1/observations"), 200)["observations"]
        self.assertEqual((amount["kind"], amount["amount"]), ("amount", 20))
        self.assertEqual(observation["kind"], "exhausted")
        self.assertEqual(
            set(observation),
            {
                "id",
                "project",
                "model",
                "limit",
                "kind",
                "amount",
                "until",
                "probe_at",
                "seen_at",
                "evidence",
            },
        )
        self.assertEqual(
            (
                observation["project"],
                observation["model"],
                observation["limit"],
            ),
            ("default", self.MODEL, self.LIMIT),
        )
        until = (utc(observation["until"]) - utc(MIDNIGHT)).total_seconds()
        self.assertTrue(0 <= until < 1, observation)  # with the guard
        self.assertIn(
            "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
            json.dumps(observation["evidence"]),
        )
        self.assertEqual(self.client.limit(self.LIMIT)["used_elsewhere"], 19)
        self.assertEqual(self.client.limit(self.LIMIT)["source"], "observed")
        for seen in (observation, amount):
            self.assertEqual(self.client.delete(f"/v1/observations/{seen['id']}").status, 204)
        self.assertEqual(self.client.get("/v1/observations").json["observations"], [])
        state = self.client.limit(self.LIMIT)
        self.assertEqual(
            (state["amount"], state["used"], state["used_elsewhere"], state["source"]),
            (500, 1, 0, "config"),
        )
        self.admitted(self.client, self.MODEL)
        self.check_problem(self.client.delete(f"/v1/observations/{observation['id']}"), 404)
        self.running.restart()
        self.client = self.running.client()
        self.assertEqual(self.client.get("/v1/observations").json["observations"], [])
        self.admitted(self.client, self.MODEL)

    def test_metrics_tell_what_upstream_refused(self) -> None:
        self.refused_upstream()
        metrics = self.client.metrics()
        self.assertEqual(
            metrics.sum("weir_over_admissions_total", project="default", limit=self.LIMIT), 1
        )
        self.assertEqual(metrics.sum("weir_observations_total", kind="exhausted"), 1)
        self.assertEqual(metrics.sum("weir_observations_total", kind="amount"), 1)
        self.assertEqual(metrics.sum("weir_calls_total", status="429"), 1)
        self.assertEqual(metrics.sum("weir_upstream_responses_total", code="429"), 1)

    def test_other_models_go_on(self) -> None:
        self.refused_upstream()
        self.exhausted()
        self.admitted(self.client, "gemini-2.5-pro")

    def test_recorded_429s_never_break_a_settlement(self) -> None:
        for path in sorted((DATA / "upstream" / "errors").glob("*.json")):
            with self.subTest(error=path.name):
                answer = self.client.admit("another")
                if answer.status == 429:  # a cool-down that an earlier one began
                    self.held_world.pass_time(86_400)
                    answer = self.client.admit("another")
                admission_id = self.check(answer, 201)["admission_id"]
                text = path.read_text()
                try:
                    body = json.loads(text)
                except ValueError:
                    body = text
                status = int("".join(filter(str.isdigit, path.name.split("-")[1])) or 429)
                self.check(
                    self.client.settle(
                        admission_id,
                        {
                            "upstream": {
                                "status": status if status >= 400 else 429,
                                "headers": {},
                                "body": body,
                            }
                        },
                    ),
                    200,
                )

    def test_secrets_in_an_upstream_answer_are_not_kept(self) -> None:
        body = daily_429(self.MODEL)
        body["error"]["message"] = "key=AIzaSyA1234567890abcdefghijklmnopqrstuv is out of quota"
        self.refused_upstream(body)
        self.assertNotIn("AIzaSyA1234567890", self.client.get("/v1/observations").text)
        self.assertNotIn("AIzaSyA1234567890", self.running.stderr())
        self.running.stop()
        for path in self.running.directory.iterdir():
            if path.is_file():
                self.assertNotIn(b"AIzaSyA1234567890", path.read_bytes(), path.name)


if __name__ == "__main__":
    unittest.main()
