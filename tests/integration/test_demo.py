"""scripts/demo: calls are recorded, it ends when asked to, and it leaves nothing."""

from __future__ import annotations

import signal
import unittest

from demotest import Demo
from weirtest import DEADLINE_S, TestCase, eventually


class DemoRuns(TestCase):
    def test_its_callers_are_recorded_and_ctrl_c_leaves_nothing(self) -> None:
        demo = Demo(self.directory)
        self.addCleanup(demo.kill)
        client = demo.client()
        wanted = {"chat", "agent", "nightly-batch", "script", "search"}

        def recorded() -> set[str]:
            rows = client.get("/v1/usage?by=consumer").json["rows"]
            return {row["consumer"] for row in rows if row["calls"] > 0 and row["total_tokens"] > 0}

        eventually("a settled call of every consumer", lambda: recorded() >= wanted)
        eventually("a limit that denies", lambda: client.metrics().sum("weir_admissions_total", decision="denied") > 0)
        self.assertTrue(list(self.directory.glob("weir-demo-*")))

        demo.process.send_signal(signal.SIGINT)
        output, _ = demo.process.communicate(timeout=DEADLINE_S)
        self.assertEqual(demo.process.returncode, 0, output)
        self.assertIn("nightly-batch", output, "it ends with a table of what was used")
        self.assertEqual(list(self.directory.glob("weir-demo-*")), [], "nothing stays")
        with self.assertRaises(OSError):
            client.get("/livez")

    def test_it_ends_by_itself(self) -> None:
        demo = Demo(self.directory, "--seconds", "1")
        self.addCleanup(demo.kill)
        demo.process.communicate(timeout=DEADLINE_S)
        self.assertEqual(demo.process.returncode, 0)

    def test_a_port_that_is_taken_is_said_to_be(self) -> None:
        demo = Demo(self.directory)
        self.addCleanup(demo.kill)
        second = Demo(self.directory, "--port", demo.url.rpartition(":")[2], ready=False)
        self.addCleanup(second.kill)
        _, error = second.process.communicate(timeout=DEADLINE_S)
        self.assertEqual(second.process.returncode, 1)
        self.assertIn("cannot serve on port", error)


if __name__ == "__main__":
    unittest.main()
