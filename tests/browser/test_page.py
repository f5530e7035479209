"""The status page in a real browser: page_stories.mjs, with what it needs."""

from __future__ import annotations

import os
import pathlib
import shutil
import socket
import subprocess
import sys

import sdk_packages

HERE = pathlib.Path(__file__).resolve().parent
BROWSER = "/usr/bin/chromium"


def main() -> int:
    try:
        if not os.access(BROWSER, os.X_OK):
            raise sdk_packages.Absent(f"{BROWSER} is not there (Debian's package chromium)")
        folder = sdk_packages.browser(HERE / "packages")
    except sdk_packages.Absent as absent:
        print(f"skipped: {absent}")
        return sdk_packages.SKIPPED
    for name in ("page_stories.mjs", "page_world.mjs"):  # modules are looked for beside the file that imports them
        shutil.copy(HERE / name, folder)
    with socket.socket() as kept:
        # For a daemon that ends and comes back: bound here, and not listened on, the port is given to nobody else, and
        # whoever also says SO_REUSEADDR may listen on it.
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        return subprocess.run(
            ["node", str(folder / "page_stories.mjs")],
            stdin=subprocess.DEVNULL,
            env=os.environ | {"WEIR_KEPT_PORT": str(kept.getsockname()[1])},
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
