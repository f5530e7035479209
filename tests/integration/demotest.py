"""Runs scripts/demo, for tests that want a daemon with a life around it."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess

from weirtest import BINARY, DEADLINE_S, Client

DEMO = pathlib.Path(__file__).resolve().parents[2] / "scripts" / "demo"


class Demo:
    """The demo on a free port, its temporary directory below `directory`."""

    def __init__(self, directory: pathlib.Path, *arguments: str, ready: bool = True) -> None:
        port = [] if "--port" in arguments else ["--port", "0"]
        self.process = subprocess.Popen(
            [DEMO, "--weir", BINARY, *port, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"TMPDIR": str(directory)},
        )
        self.url = self._url() if ready else ""

    def _url(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if found := re.search(r"serves on (http://\S+),", line):
                return found[1]
        error = self.process.communicate(timeout=DEADLINE_S)[1]
        raise AssertionError(f"the demo did not start: {error}")

    def client(self) -> Client:
        return Client(self.url)

    def kill(self) -> None:
        """Ends it, if it has not ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=DEADLINE_S)
        except (subprocess.TimeoutExpired, ValueError):
            self.process.kill()
