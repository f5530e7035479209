"""What the daemon tells its service manager, and the sockets that it takes from it."""

from __future__ import annotations

import pathlib
import os
import signal
import socket
import subprocess
import time
import unittest

from weirtest import BINARY, Client, Daemon, TestCase, config, eventually, limit


class Manager:
    """The service manager's end: a datagram socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.settimeout(0.02)
        self.heard: list[dict[str, str]] = []

    def close(self) -> None:
        self._socket.close()

    def listen(self) -> list[dict[str, str]]:
        while True:
            try:
                text = self._socket.recv(65536).decode()
            except TimeoutError:
                return self.heard
            self.heard.append(dict(line.split("=", 1) for line in text.splitlines()))

    def count(self, key: str) -> int:
        return sum(key in each for each in self.listen())


class Notifying(TestCase):
    def manager(self, address: str) -> Manager:
        made = Manager(address)
        self.addCleanup(made.close)
        return made

    def test_the_manager_hears_of_start_reload_and_stop(self) -> None:
        for kind in ("path", "abstract"):
            with self.subTest(kind=kind):
                name = f"{self.directory}/notify"
                manager = self.manager(name if kind == "path" else f"@{name}")
                daemon = self.make(config(limit(5)), env={"NOTIFY_SOCKET": manager.address})
                daemon.start()
                eventually("it is ready", lambda: manager.count("READY") == 1)
                ready = next(each for each in manager.heard if "READY" in each)
                self.assertEqual(ready["READY"], "1")
                self.assertIn(daemon.tcp.removeprefix("http://"), ready["STATUS"])

                before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                assert daemon.process is not None
                daemon.process.send_signal(signal.SIGHUP)
                eventually("the reload has ended", lambda: manager.count("READY") == 2)
                after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                order = [key for each in manager.heard for key in each if key in ("READY", "RELOADING")]
                self.assertEqual(order, ["READY", "RELOADING", "READY"])
                told = next(each for each in manager.heard if "RELOADING" in each)
                self.assertLessEqual(before, int(told["MONOTONIC_USEC"]))
                self.assertLessEqual(int(told["MONOTONIC_USEC"]), after)

                daemon.config.write_text("bogus = 1\n")
                daemon.process.send_signal(signal.SIGHUP)
                eventually("a bad reload ends too", lambda: manager.count("READY") == 3)
                self.assertIn("failed", manager.heard[-1]["STATUS"])

                self.assertEqual(daemon.stop(), 0)
                self.assertEqual(manager.count("STOPPING"), 1)
                self.assertEqual(manager.heard[-1]["STOPPING"], "1")

    def test_ready_is_told_when_calls_are_taken(self) -> None:
        manager = self.manager(f"@{self.directory}/notify")
        daemon = self.make(config(limit(5)), env={"NOTIFY_SOCKET": manager.address})
        daemon.launch()
        eventually("it is ready", lambda: manager.count("READY") == 1)
        self.check(Client(f"unix:{daemon.directory}/weir.sock").admit(), 201)

    def test_the_watchdog_hears_of_a_loop_that_turns_and_of_none_that_hangs(self) -> None:
        manager = self.manager(f"@{self.directory}/notify")
        daemon = self.make(
            config(limit(5)), env={"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "300000"}
        )
        daemon.start()
        eventually("it lives", lambda: manager.count("WATCHDOG") >= 3)
        with daemon.standing_still():
            quiet = manager.count("WATCHDOG")
            time.sleep(1)
            self.assertEqual(manager.count("WATCHDOG"), quiet)
        eventually("it lives again", lambda: manager.count("WATCHDOG") > quiet)

    def test_the_watchdog_of_another_process_is_not_ours(self) -> None:
        manager = self.manager(f"@{self.directory}/notify")
        self.make(
            config(limit(5)),
            env={
                "NOTIFY_SOCKET": manager.address,
                "WATCHDOG_USEC": "100000",
                "WATCHDOG_PID": "1",
            },
        ).start()
        eventually("it is ready", lambda: manager.count("READY") == 1)
        self.assertEqual(manager.count("WATCHDOG"), 0)

    def test_a_manager_that_is_not_there_is_no_reason_to_fail(self) -> None:
        for address in (f"{self.directory}/nobody", "@nobody-listens", "relative", "/" + "x" * 200):
            with self.subTest(address=address):
                daemon = self.daemon(config(limit(5)), env={"NOTIFY_SOCKET": address})
                self.assertEqual(daemon.stop(), 0)


class Given(TestCase):
    """Sockets of the service manager, as systemd passes them: from descriptor 3 on."""

    def launch(self, daemon: Daemon, sockets: list[socket.socket], pid: str = "$$") -> None:
        passed = [each.fileno() for each in sockets]
        # Shuffled by a shell, since the descriptors must be 3, 4, … in the daemon itself.
        moves = " ".join(f"{3 + i}<&{100 + i}" for i in range(len(passed)))
        high = []
        for i, descriptor in enumerate(passed):
            os.dup2(descriptor, 100 + i)
            high.append(100 + i)
        daemon._log_start = daemon.log.stat().st_size
        try:
            with open(daemon.log, "ab") as log:
                daemon.process = subprocess.Popen(
                    [
                        "bash",
                        "-c",
                        f"LISTEN_PID={pid} LISTEN_FDS={len(passed)} exec {BINARY} serve "
                        f"--config {daemon.config} {moves}",
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=daemon.env,
                    cwd=daemon.directory,
                    pass_fds=high,
                )
        finally:
            for descriptor in high:
                os.close(descriptor)

    def test_given_sockets_are_served_and_outlive_the_daemon(self) -> None:
        daemon = self.make(config(limit(5)))
        path = f"{daemon.directory}/weir.sock"
        with socket.socket(socket.AF_UNIX) as unix, socket.create_server(("127.0.0.1", 0)) as tcp:
            unix.bind(path)
            unix.listen()
            address = f"127.0.0.1:{tcp.getsockname()[1]}"
            for _ in range(2):
                self.launch(daemon, [unix, tcp])
                # Waits in the backlog until the daemon takes it.
                self.check(Client(f"unix:{path}").admit(), 201)
                self.check(Client(address).get("/v1/quota"), 200)
                listening = [
                    line.split()[-1] for line in daemon.stderr().splitlines() if "listening on" in line
                ]
                self.assertIn(f"unix:{path}", listening)
                self.assertIn(f"http://{address}", listening)
                self.assertEqual(len(listening), 3, "the configured one of the same name is the given one")
                self.assertEqual(daemon.stop(), 0)
                self.assertTrue(pathlib.Path(path).is_socket(), "its file is the manager's")

    def test_sockets_for_another_process_are_left_alone(self) -> None:
        daemon = self.make(config(limit(5)))
        with socket.create_server(("127.0.0.1", 0)) as tcp:
            self.launch(daemon, [tcp], pid="1")
            eventually("it is ready", daemon.is_ready)
            self.assertNotIn(str(tcp.getsockname()[1]), daemon.stderr())
            self.assertEqual(daemon.stop(), 0)

    def test_a_given_socket_that_others_can_reach_needs_a_token(self) -> None:
        daemon = self.make(config(limit(5)))
        with socket.create_server(("0.0.0.0", 0)) as tcp:
            self.launch(daemon, [tcp])
            self.assertEqual(daemon.wait(), 1)
        self.assertIn("token_file", daemon.stderr())

    def test_what_is_no_listening_socket_is_an_error_in_words(self) -> None:
        daemon = self.make(config(limit(5)))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.bind(("127.0.0.1", 0))
            self.launch(daemon, [datagrams])
            self.assertEqual(daemon.wait(), 1)
        self.assertIn("ListenStream=", daemon.stderr())


if __name__ == "__main__":
    unittest.main()
