"""The SDKs, at their pinned versions, in the build folder; or why they cannot be had."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PINNED = HERE / "packages"
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
INSTALL_S = 300


class Absent(Exception):
    """What is missing on this machine."""


def _folder(name: str) -> pathlib.Path:
    root = os.environ.get("WEIR_E2E_PACKAGES")
    if not root:
        raise SystemExit("WEIR_E2E_PACKAGES is not set: run the tests by ctest, or set it to a folder")
    return pathlib.Path(root) / name


def _install(
    folder: pathlib.Path, pins: list[str], command: list[str], what: str, pinned: pathlib.Path = PINNED
) -> None:
    """Runs `command` in `folder`, unless it has been run there with the same pins."""
    wanted = "".join((pinned / name).read_text() for name in pins) + " ".join(command)
    stamp = folder / "installed"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in pins:
        shutil.copy(pinned / name, folder)
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Absent(f"{what}: the registry did not give them within {INSTALL_S} s") from None
    if done.returncode != 0:
        raise Absent(f"{what} could not be installed:\n{(done.stderr or done.stdout).strip()[-2000:]}")
    stamp.write_text(wanted)


def python() -> tuple[list[str], dict[str, str]]:
    """How to start the driver with the Python SDKs: command and environment."""
    folder = _folder("python")
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0:
        raise Absent("pip is not there")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--retries", "1", "--timeout", "15", "--target", "site", "--requirement", "requirements.txt"]
    _install(folder, ["requirements.txt"], command, "The Python packages")
    return [sys.executable, str(HERE / "sdk_driver.py")], {"PYTHONPATH": str(folder / "site")}


def _install_npm(folder: pathlib.Path, pinned: pathlib.Path = PINNED) -> None:
    for program in ("node", "npm"):
        if not shutil.which(program):
            raise Absent(f"{program} is not there")
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    _install(folder, ["package.json", "package-lock.json"], command, "The npm packages", pinned)


def node() -> tuple[list[str], dict[str, str]]:
    """How to start the driver with the JavaScript SDKs: command and environment."""
    folder = _folder("node")
    _install_npm(folder)
    driver = folder / "sdk_driver.mjs"  # modules are looked for beside the file that imports them
    shutil.copy(HERE / "sdk_driver.mjs", driver)
    return ["node", str(driver)], {}


def browser(pinned: pathlib.Path) -> pathlib.Path:
    """The folder with what drives a browser."""
    folder = _folder("browser")
    _install_npm(folder, pinned)
    return folder
