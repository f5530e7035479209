"""Somebody who uses the daemon as one should, while others do not."""

from __future__ import annotations

import threading
import time
from typing import Any

from weirtest import Client, Daemon, TestCase, eventually


class Bystander:
    """Admits and settles calls, one after the other, on one connection, and keeps what was acknowledged. Prints how long the
    slowest answer took: a figure to look at, not one that is asserted."""

    def __init__(self, test: TestCase, daemon: Daemon) -> None:
        self._test = test
        self._daemon = daemon
        self._client: Client = daemon.client()
        self._stop = threading.Event()
        self.acknowledged: dict[str, str] = {}  # admission id to state
        self.slowest_s = 0.0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Bystander:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()
        print(
            f"{self._test.id()}: {len(self.acknowledged)} calls beside, the slowest answer after {self.slowest_s:.3f} s"
        )
        if self._error:
            raise self._error

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                begin = time.monotonic()
                admission_id = self._test.admitted(self._client)
                self.acknowledged[admission_id] = "open"
                self._test.check(self._client.settle(admission_id, status=200, usage={"input_tokens": 1}), 200)
                self.acknowledged[admission_id] = "settled"
                self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
        except BaseException as error:  # pylint: disable=broad-except
            self._error = error

    def goes_on(self, calls: int = 20) -> None:
        """Waits until so many more calls were answered."""
        goal = len(self.acknowledged) + calls
        eventually(
            "others are answered all the while",
            lambda: self._error is not None or len(self.acknowledged) >= goal,
        )
        if self._error:
            raise self._error

    def check_all(self) -> None:
        """After the end: all that was acknowledged is in the ledger, once, also after a restart."""
        for _ in range(2):
            calls = self._daemon.client().calls()
            mine = {call["admission_id"]: call["state"] for call in calls}
            self._test.assertEqual(len(calls), len(mine), "no call is there twice")
            lost = [name for name, state in self.acknowledged.items() if mine.get(name) != state]
            self._test.assertEqual(lost, [], "nothing acknowledged is lost")
            self._daemon.kill()
            self._daemon.start()
