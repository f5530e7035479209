"""Makes the Debian package out of the build."""

from __future__ import annotations

import os
import pathlib
import shutil
import sys

from container import run

SKIPPED = 77  # ctest's SKIP_RETURN_CODE
BUILD = pathlib.Path(os.environ.get("WEIR_BUILD", ""))


def make_package(directory: pathlib.Path, release: int = 1, umask: int = 0o022, **environment: str) -> pathlib.Path:
    directory.mkdir()
    run(
        *("cpack", "-G", "DEB", "-B", directory, "-D", f"CPACK_DEBIAN_PACKAGE_RELEASE={release}"),
        cwd=BUILD,
        env=os.environ | {"SOURCE_DATE_EPOCH": "1795000000"} | environment,
        umask=umask,
    )
    (package,) = directory.glob("*.deb")
    return package


def exit_if_none_can_be_made() -> None:
    for program, package in [("cpack", "cmake"), ("dpkg-shlibdeps", "dpkg-dev"), ("file", "file")]:
        if not shutil.which(program):
            print(f"{program} (package {package}) is not installed")
            sys.exit(SKIPPED)
