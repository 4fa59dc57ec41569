"""Finds Chromium for the tests of the page, and installs it where it can: ``python -m tests.web.chromium``."""

import os
import shutil
import signal
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "needs Chromium: apt-get install chromium, or playwright install chromium"
LIMIT = 300  # seconds for a download


def found():
    """The path of a Chromium that starts, of the machine or of playwright; None if there is none."""
    return next((path for path in _places() if _failure(path, "--version", seconds=20) is None), None)


def _places():
    yield from filter(None, map(shutil.which, NAMES))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        yield driver.chromium.executable_path


def install():
    """Install Debian's package if this user may, else playwright's download; say why where that fails."""
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if shutil.which("apt-get") and _failure(*as_root, "true") is None:
        apt = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "--option=Acquire::Retries=1"]
        package = ["install", "--yes", "--no-install-recommends", "chromium"]
        # Only downloads are limited: to stop apt while it installs would leave the system half configured.
        limited = [*as_root, "timeout", str(LIMIT), *apt]
        _failure(*limited, "update")  # a source of somebody else's may fail
        if failure := _failure(*limited, *package, "--download-only") or _failure(*as_root, *apt, *package):
            print(f"apt-get: {failure}")
        if found():
            return
    if failure := _failure(sys.executable, "-m", "playwright", "install", "chromium", seconds=LIMIT):
        print(f"playwright: {failure}")


def _failure(*command, seconds=None):
    """Why a command failed, in a line; None if it did not."""
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
    except OSError as error:
        return str(error)
    with process:
        try:
            _, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"not done after {seconds} seconds"
    return next(iter(errors.splitlines()), f"exit status {process.returncode}") if process.returncode else None


if __name__ == "__main__" and found() is None:
    print("Install Chromium for the tests of the page", flush=True)
    install()
    print(f"Chromium: {found() or MISSING}")
