"""SIGTERM under load: nothing accepted is dropped."""

from __future__ import annotations

import http.client
import re
import signal
import threading
import time
import unittest

from test_waiting import Asking
from weirtest import TestCase, config, eventually, limit, raw_connection, threads


class Shutdown(TestCase):
    def test_under_load_the_ledger_holds_exactly_what_was_acknowledged(self) -> None:
        daemon = self.daemon(config(limit(10**9)))
        acknowledged: list[str] = []
        settled: set[str] = set()
        stopping = threading.Event()

        def work(_: int) -> None:
            client = daemon.client()
            while True:
                try:
                    answer = client.admit(lease_s=3600)
                    if answer.status == 503:
                        self.assertTrue(stopping.is_set(), answer)
                        return
                    admission_id = self.check(answer, 201)["admission_id"]
                    acknowledged.append(admission_id)
                    if len(acknowledged) % 2:
                        answer = client.settle(admission_id, status=200, usage={"input_tokens": 1})
                        if answer.status == 200:
                            settled.add(admission_id)
                except (
                    ConnectionError,
                    http.client.RemoteDisconnected,
                    http.client.CannotSendRequest,
                ):
                    if not stopping.is_set():
                        raise
                    return  # closed between two requests, or refused

        with threads(8, work):
            eventually("some work is done", lambda: len(acknowledged) > 100)
            stopping.set()
            code = daemon.stop()
        self.assertEqual(code, 0)
        daemon.start()
        calls = daemon.client().calls()
        self.assertEqual(sorted(call["admission_id"] for call in calls), sorted(acknowledged))
        self.assertEqual(
            {call["admission_id"] for call in calls if call["state"] == "settled"}, settled
        )
        state = daemon.client().limit("*/requests/day")
        self.assertEqual(
            (state["used"], state["held"]), (len(settled), len(acknowledged) - len(settled))
        )

    def test_a_waiting_call_is_answered_before_the_daemon_goes(self) -> None:
        daemon = self.daemon(config(limit(1, "in_flight", "")))
        client = daemon.client()
        self.admitted(client)
        waiting = Asking(daemon, wait_s=60)
        eventually("it waits", lambda: client.metrics().sum("weir_queue_waiting") == 1)
        self.assertEqual(daemon.stop(), 0)
        self.assertIn(waiting.result().status, (429, 503))

    def test_a_request_half_sent_does_not_keep_the_daemon(self) -> None:
        daemon = self.daemon(config(limit(5)))
        with raw_connection(daemon.tcp) as idle, raw_connection(daemon.tcp) as half:
            idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b" 200 ", idle.recv(4096))
            half.sendall(
                b"POST /v1/admissions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
            )
            self.assertEqual(daemon.stop(), 0)

    def test_an_interrupt_is_taken_like_a_terminate(self) -> None:
        daemon = self.daemon(config(limit(5)))
        self.admitted(daemon.client())
        assert daemon.process is not None
        daemon.process.send_signal(signal.SIGINT)
        self.assertEqual(daemon.wait(), 0)
        daemon.start()
        self.assertEqual(daemon.client().limit("*/requests/day")["held"], 1)

    def test_whoever_interrupts_twice_is_in_a_hurry_and_loses_nothing(self) -> None:
        daemon = self.daemon(config(limit(5)))
        self.admitted(daemon.client())
        assert daemon.process is not None
        for _ in range(2):
            daemon.process.send_signal(signal.SIGINT)
        daemon.wait()
        daemon.start()
        self.assertEqual(daemon.client().limit("*/requests/day")["held"], 1)

    def test_signals_up_to_the_last_moment_change_nothing(self) -> None:
        world = self.world()
        daemon = self.daemon(config(limit(5)), world=world)
        self.admitted(daemon.client())
        world.hang_syncs()  # so that closing the ledger takes as long as it may
        assert daemon.process is not None
        while daemon.process.poll() is None:
            for which in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                daemon.process.send_signal(which)
            time.sleep(0.01)
        self.assertEqual(daemon.wait(), 0)

    def test_a_clean_stop_leaves_one_file(self) -> None:
        daemon = self.daemon(config(limit(5)))
        self.admitted(daemon.client())
        self.assertEqual(daemon.stop(), 0)
        names = sorted(
            path.name for path in daemon.directory.iterdir() if path.name.startswith("weir.db")
        )
        self.assertIn(names, (["weir.db"], ["weir.db", "weir.db.lock"]))

    def test_sighup_takes_a_good_configuration_and_keeps_the_old_one_for_a_bad_one(self) -> None:
        daemon = self.daemon(config(limit(5)))
        client = daemon.client()
        self.admitted(client)
        assert daemon.process is not None
        good = daemon.config.read_text()

        def reload(text: str) -> None:
            daemon.config.write_text(text)
            daemon.process.send_signal(signal.SIGHUP)

        reload(good.replace("amount = 5", "amount = 7"))
        if eventually("SIGHUP is told", lambda: re.search("SIGHUP: (restart)?", daemon.stderr()))[
            1
        ]:
            self.admitted(client)
            self.skipTest("this daemon takes SIGHUP without harm, and does not reload yet")
        eventually("the new amount holds", lambda: client.limit("*/requests/day")["amount"] == 7)
        self.assertEqual(
            client.limit("*/requests/day")["held"], 1, "usage survives a changed limit"
        )
        self.assertEqual(client.metrics().sum("weir_config_last_reload_successful"), 1)
        reload(good.replace("amount = 5", "amount = -5"))
        eventually(
            "the refusal is told",
            lambda: client.metrics().sum("weir_config_last_reload_successful") == 0,
        )
        self.assertEqual(client.limit("*/requests/day")["amount"], 7)
        self.assertRegex(daemon.stderr(), r"weir\.toml:\d+:\d+: ")
        reload(good)
        eventually(
            "the first amount holds again", lambda: client.limit("*/requests/day")["amount"] == 5
        )


if __name__ == "__main__":
    unittest.main()
