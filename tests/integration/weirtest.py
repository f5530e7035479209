"""Drives the real daemon from outside: starts and kills it, turns its clocks, fills its disk.

Standard library only. The binary is $WEIR_BIN. Nothing here asserts how long anything takes: waits
have deadlines far beyond what a sanitized build on a busy machine needs. One module, because
a test needs all of it: talking, the world of the daemon, the daemon, assertions.
"""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import mmap
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
from collections.abc import Callable, Iterator
from typing import Any

BINARY = os.environ.get("WEIR_BIN", "")
SHIM = os.environ.get("WEIR_WORLD_SHIM", "")
SANITIZER_RUNTIME = os.environ.get("WEIR_SANITIZER_RUNTIME", "")
SCALE = float(os.environ.get("WEIR_TEST_SCALE", "1"))
DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
DEADLINE_S = 90.0

SANITIZER_REPORT = re.compile(
    r"ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error: |AddressSanitizer:"
)


def scaled(count: int, least: int = 1) -> int:
    """How much random work to do: sanitizer runs set WEIR_TEST_SCALE below 1."""
    return max(least, int(count * SCALE))


def eventually(what: str, condition: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
    """The first true value of `condition`, asked again and again."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"did not happen within {deadline_s:.0f} s: {what}")
        time.sleep(0.02)


def wait_past_midnight() -> None:
    """Most limits here are of a day that ends at midnight in Los Angeles, 7 or 8 o'clock UTC, by the real clock: no test
    begins just before that."""
    now = datetime.datetime.now(datetime.timezone.utc)
    if now.hour in (6, 7) and now.minute >= 58:
        time.sleep((60 - now.minute) * 60 - now.second + 1)


def utc(text: str) -> datetime.datetime:
    """Reads RFC 3339 in UTC, as the daemon writes it."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def rfc3339(at: datetime.datetime) -> str:
    """Writes as the daemon does."""
    return (
        at.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.")
        + f"{at.microsecond // 1000:03d}Z"
    )


# --- talking ------------------------------------------------------------------------------------


class Answer:
    """A whole HTTP answer."""

    def __init__(self, status: int, headers: http.client.HTTPMessage, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()

    def __repr__(self) -> str:
        return f"{self.status} {self.body[:600]!r}"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """One keep-alive connection. Not for several threads at once."""

    def __init__(self, address: str, timeout: float = DEADLINE_S) -> None:
        if address.startswith("unix:"):
            self._connection: http.client.HTTPConnection = UnixConnection(address[5:], timeout)
        else:
            self._connection = http.client.HTTPConnection(
                address.removeprefix("http://"), timeout=timeout
            )

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """`body`: bytes or text as they are, anything else as JSON."""
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        fields = {"Content-Type": "application/json"} if body is not None else {}
        try:
            self._connection.request(method, path, body=body, headers=fields | (headers or {}))
            response = self._connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except BaseException:
            self._connection.close()
            raise

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        return self.send("GET", path, headers=headers)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Answer:
        return self.send("POST", path, body, headers)

    def delete(self, path: str) -> Answer:
        return self.send("DELETE", path)

    def admit(
        self, model: str = "m", headers: dict[str, str] | None = None, **fields: Any
    ) -> Answer:
        return self.post("/v1/admissions", {"model": model, **fields}, headers)

    def settle(
        self, admission_id: str, settlement: dict[str, Any] | None = None, **fields: Any
    ) -> Answer:
        return self.post(
            f"/v1/admissions/{admission_id}/settlement",
            settlement if settlement is not None else fields,
        )

    def limit(self, name: str, project: str = "default") -> dict[str, Any]:
        """One limit of GET /v1/quota."""
        limits = self.get(f"/v1/quota?project={project}").json["limits"]
        found = [limit for limit in limits if limit["limit"] == name]
        if len(found) != 1:
            raise AssertionError(
                f"{name} is not once among {[limit['limit'] for limit in limits]}"
            )
        return found[0]

    def calls(self, query: str = "") -> list[dict[str, Any]]:
        """All calls, newest first, streamed."""
        answer = self.get(
            "/v1/calls" + (f"?{query}" if query else ""), {"Accept": "application/x-ndjson"}
        )
        if answer.status != 200:
            raise AssertionError(answer)
        return [json.loads(line) for line in answer.text.splitlines()]

    def metrics(self) -> Metrics:
        return Metrics(self.get("/metrics").text)

    def close(self) -> None:
        self._connection.close()

    def __del__(self) -> None:
        self.close()


def raw_exchange(address: str, data: bytes, timeout: float = DEADLINE_S) -> bytes:
    """Sends bytes as they are, and reads until the daemon closes or goes quiet after an answer."""
    with raw_connection(address, timeout) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(data)
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := connection.recv(65536):
                received += piece
        return received


def raw_connection(address: str, timeout: float = DEADLINE_S) -> socket.socket:
    if address.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        connection.connect(address[5:])
        return connection
    host, port = address.removeprefix("http://").rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)), timeout=timeout)


class Metrics:
    """Prometheus' text format, read strictly enough to notice a line that is none."""

    _LINE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
    _LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?')

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples: dict[str, list[tuple[dict[str, str], float]]] = {}
        for line in text.splitlines():
            if not line or line.startswith("#"):
                continue
            match = self._LINE.match(line)
            if not match:
                raise AssertionError(f"not a sample: {line!r}")
            labels = dict(self._LABEL.findall(match[2] or ""))
            self.samples.setdefault(match[1], []).append((labels, float(match[3])))

    def sum(self, name: str, **labels: str) -> float:
        """The sum of the series that have these labels, at least one."""
        found = [
            value for have, value in self.samples.get(name, []) if labels.items() <= have.items()
        ]
        if not found:
            raise AssertionError(f"no series {name} with {labels}")
        return sum(found)

    def has(self, name: str, **labels: str) -> bool:
        return any(labels.items() <= have.items() for have, _ in self.samples.get(name, []))

    def label_values(self, name: str, label: str) -> set[str]:
        return {have[label] for have, _ in self.samples.get(name, []) if label in have}


# --- the world of the daemon --------------------------------------------------------------------


class World:
    """The daemon's clocks and disk (world_shim.c). Clocks that stand still are exact."""

    _EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

    def __init__(self, directory: pathlib.Path) -> None:
        # A new file each time: an earlier world's daemon may still run in it.
        handle, name = tempfile.mkstemp(prefix="world-", dir=directory)
        self.path = pathlib.Path(name)
        with open(handle, "r+b") as file:
            file.write(bytes(48))
            file.flush()
            self._map = mmap.mmap(file.fileno(), 48)

    def _set(self, index: int, value: int) -> None:
        struct.pack_into("=q", self._map, index * 8, value)

    def _get(self, index: int) -> int:
        return struct.unpack_from("=q", self._map, index * 8)[0]

    def freeze(self, wall: str | datetime.datetime, boot_s: float = 1_000_000.0) -> None:
        """Both clocks stand still from now on. Before the daemon starts, or its time jumps."""
        self._set(1, self._nanoseconds(wall))
        self._set(2, int(boot_s * 1e9))
        self._set(0, 1)

    def _nanoseconds(self, wall: str | datetime.datetime) -> int:
        at = utc(wall) if isinstance(wall, str) else wall
        return (at - self._EPOCH) // datetime.timedelta(microseconds=1) * 1000

    def pass_time(self, seconds: float) -> None:
        """Time goes by: both clocks move together."""
        for index in (1, 2):
            self._set(index, self._get(index) + round(seconds * 1e9))

    def move_to(self, wall: str | datetime.datetime) -> None:
        """Time goes by until the wall clock shows this; forward only."""
        self.pass_time((self._nanoseconds(wall) - self._get(1)) / 1e9)

    def step_wall(self, seconds: float) -> None:
        """Somebody sets the wall clock; no time goes by."""
        self._set(1, self._get(1) + round(seconds * 1e9))

    def now(self) -> datetime.datetime:
        """What the frozen wall clock shows."""
        return self._EPOCH + datetime.timedelta(microseconds=self._get(1) // 1000)

    def fill_disk(self, full: bool = True) -> None:
        self._set(3, int(full))

    def hang_syncs(self) -> None:
        """From now on the disk takes for ever to sync."""
        self._set(4, 1)

    def kill_at(self, operation: int) -> None:
        """From now on the daemon is killed in that operation on a file, half-way; 0: it is not."""
        self._set(5, operation)


def config(
    limits: str = "",
    *,
    server: str = "",
    ledger: str = "",
    queue: str = "",
    project: str = "use_catalog = false",
    more: str = "",
    listen: str | None = None,
) -> str:
    """A configuration file's text; DIR stands for the test's directory."""
    listen = listen if listen is not None else '["127.0.0.1:0", "unix:DIR/weir.sock"]'
    return f"""
[server]
listen = {listen}
{server}
[ledger]
path = "DIR/weir.db"
{ledger}
[queue]
{queue}
[[projects]]
name = "default"
{project}
{limits}
{more}
"""


def limit(
    amount: float,
    metric: str = "requests",
    window: str = "day",
    models: str = '["*"]',
    more: str = "",
) -> str:
    """One [[projects.limits]]."""
    over = f'window = "{window}"' if window else ""
    return (
        f'[[projects.limits]]\nmodels = {models}\nmetric = "{metric}"\n'
        f"{over}\namount = {amount}\n{more}\n"
    )


class Daemon:
    """`weir serve` in a directory of its own."""

    def __init__(
        self,
        directory: pathlib.Path,
        text: str,
        env: dict[str, str] | None = None,
        world: World | None = None,
    ) -> None:
        self.directory = directory
        self.config = directory / "weir.toml"
        self.config.write_text(text.replace("DIR", str(directory)))
        self.log = directory / "stderr.log"
        self.log.touch()
        self.world = world
        self.env = environment(directory) | (env or {})
        if world is not None:
            if not SHIM:
                raise AssertionError("WEIR_WORLD_SHIM is not set: run the tests by ctest")
            # A sanitizer's runtime must come first, and then calls ours where it would call libc.
            self.env["LD_PRELOAD"] = " ".join(filter(None, [SANITIZER_RUNTIME, SHIM]))
            self.env["WEIR_WORLD"] = str(world.path)
        self.binary = BINARY
        self.process: subprocess.Popen[bytes] | None = None
        self.addresses: list[str] = []
        self._log_start = 0
        self.stderr_of_this_run = ""

    def start(self) -> Daemon:
        self.launch()
        try:
            eventually("the daemon is ready", self._ready_or_ended)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.stderr()}") from None
        return self

    def launch(self) -> None:
        """Starts without waiting for it to be ready."""
        assert self.process is None
        self._log_start = self.log.stat().st_size
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env,
                cwd=self.directory,
            )

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def is_ready(self) -> bool:
        self.addresses = re.findall(r"listening on (\S+)", self.stderr())
        wanted = len(
            re.findall(
                r'"(?:unix:|[\[0-9])[^"]*"',
                self.config.read_text().split("listen = ")[1].split("]\n")[0],
            )
        )
        if len(self.addresses) < wanted:
            return False
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.client().get("/readyz").status == 200
        return False

    def _ready_or_ended(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}")
        return self.is_ready()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def tcp(self) -> str:
        return next(address for address in self.addresses if address.startswith("http://"))

    @property
    def unix(self) -> str:
        return next(address for address in self.addresses if address.startswith("unix:"))

    def client(self, timeout: float = DEADLINE_S) -> Client:
        return Client(
            self.tcp if any(a.startswith("http") for a in self.addresses) else self.unix, timeout
        )

    def stderr(self) -> str:
        """What this run wrote."""
        with open(self.log, "rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """Nothing of it runs in the block; what comes meanwhile it finds all at once."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)  # until it has stopped
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def wait(self) -> int:
        """The exit code, once it has ended by itself or by a signal sent before."""
        assert self.process is not None
        code = self.process.wait(DEADLINE_S)
        self.process = None
        return code

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def restart(self) -> Daemon:
        code = self.stop()
        if code != 0:
            raise AssertionError(f"the daemon ended with {code}\n{self.stderr()}")
        return self.start()


def environment(directory: pathlib.Path) -> dict[str, str]:
    """What the daemon and the commands see: nothing of the user's own Weir."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name
        in (
            "PATH",
            "LANG",
            "LC_ALL",
            "TMPDIR",
            "ASAN_OPTIONS",
            "UBSAN_OPTIONS",
            "TSAN_OPTIONS",
            "LSAN_OPTIONS",
        )
    }
    return kept | {
        "HOME": str(directory),
        "XDG_STATE_HOME": str(directory / "state"),
        "NO_COLOR": "1",
    }


class TestCase(unittest.TestCase):
    """A directory, and daemons that must end properly and without a sanitizer's report."""

    def setUp(self) -> None:
        if not BINARY:
            self.fail(
                "WEIR_BIN is not set: run the tests by ctest, or set it to the daemon's path"
            )
        wait_past_midnight()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-"))
        self._daemons: list[Daemon] = []
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.addCleanup(self._end_daemons)

    def make(self, text: str, **options: Any) -> Daemon:
        """A daemon that is not started yet, in a directory of its own."""
        directory = self.directory / f"d{len(self._daemons)}"
        directory.mkdir()
        daemon = Daemon(directory, text, **options)
        self._daemons.append(daemon)
        return daemon

    def daemon(self, text: str, **options: Any) -> Daemon:
        return self.make(text, **options).start()

    def world(self) -> World:
        return World(self.directory)

    def _end_daemons(self) -> None:
        problems = []
        for daemon in self._daemons:
            if daemon.process is not None:
                try:
                    code = daemon.stop()
                except subprocess.TimeoutExpired:
                    daemon.kill()
                    code = None
                if code != 0:
                    problems.append(f"the daemon ended with {code} after SIGTERM")
            text = daemon.log.read_text(errors="replace")
            if SANITIZER_REPORT.search(text):
                problems.append("a sanitizer has something to report")
            if problems or self._failed():
                print(
                    f"--- standard error of the daemon in {self.id()}:\n{text[-20_000:]}",
                    flush=True,
                )
        if problems:
            self.fail("; ".join(problems))

    def _failed(self) -> bool:
        outcome = self._outcome  # unittest has no public way to ask
        return (
            any(error for _, error in getattr(outcome, "errors", []))
            if hasattr(outcome, "errors")
            else not outcome.success
        )

    # --- assertions ---

    def check(self, answer: Answer, status: int) -> Any:
        """The answer's JSON (None if it has none), after its status."""
        self.assertEqual(answer.status, status, answer)
        if not answer.body:
            return None
        return answer.json

    def check_problem(self, answer: Answer, status: int) -> Any:
        problem = self.check(answer, status)
        self.assertEqual(answer.headers.get_content_type(), "application/problem+json", answer)
        self.assertEqual(problem["status"], status)
        for key in ("type", "title", "detail"):
            self.assertIsInstance(problem[key], str, answer)
        self.assertTrue(answer.headers["X-Request-Id"], "every answer has an X-Request-Id")
        return problem

    def admitted(self, client: Client, model: str = "m", **fields: Any) -> str:
        """Admits a call; its id."""
        return self.check(client.admit(model, **fields), 201)["admission_id"]


def run_command(
    directory: pathlib.Path,
    *arguments: str,
    url: str | None = None,
    env: dict[str, str] | None = None,
    stdin: str | None = None,
) -> subprocess.CompletedProcess[str]:
    """Runs `weir ARGUMENTS…` to its end."""
    full_env = environment(directory) | ({"WEIR_URL": url} if url else {}) | (env or {})
    return subprocess.run(
        [BINARY, *arguments],
        env=full_env,
        cwd=directory,
        text=True,
        capture_output=True,
        timeout=DEADLINE_S,
        input=stdin,
        check=False,
    )


@contextlib.contextmanager
def threads(count: int, work: Callable[[int], None]) -> Iterator[list[BaseException]]:
    """Runs `work(i)` in `count` threads beside the block, joins them, raises what they raised."""
    errors: list[BaseException] = []

    def guarded(index: int) -> None:
        try:
            work(index)
        except BaseException as error:  # pylint: disable=broad-except
            errors.append(error)

    workers = [
        threading.Thread(target=guarded, args=(index,), daemon=True) for index in range(count)
    ]
    for worker in workers:
        worker.start()
    try:
        yield errors
    finally:
        for worker in workers:
            worker.join(DEADLINE_S)
    if any(worker.is_alive() for worker in workers):
        raise AssertionError("a thread of the test hangs")
    if errors:
        raise errors[0]
