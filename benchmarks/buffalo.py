"""Buffalo's ALS as a side that takes turns, though it runs in a process and an environment of its own."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from benchmarks.turns import Elsewhere
from crossfade.core.interactions import Interactions

ROOT = Path(__file__).parents[1]
WORKER = Path(__file__).parent / "buffalo_worker.py"
PYTHON = Path(os.environ.get("CROSSFADE_BUFFALO", ROOT / ".venv-bench-buffalo" / "bin" / "python"))
"""An interpreter that has buffalo: `make .venv-bench-buffalo/ready` makes one where there is a wheel. It is run
with -I, so that no path of ours leads it to another NumPy than its own."""


def missing() -> str | None:
    """Why buffalo cannot take part; None if it can."""
    if not PYTHON.exists():
        return "its environment is not there: make .venv-bench-buffalo/ready"
    tried = subprocess.run([PYTHON, "-I", "-c", "import buffalo"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else tried.stderr.strip().splitlines()[-1]


def version() -> str:
    """The version in that environment."""
    asked = "from importlib.metadata import version; print(version('buffalo'))"
    return subprocess.run([PYTHON, "-I", "-c", asked], capture_output=True, text=True, check=True).stdout.strip()


def write_matrix(interactions: Interactions, path: Path) -> None:
    """As MatrixMarket text, which is what buffalo reads."""
    users = np.repeat(np.arange(1, interactions.shape[0] + 1), np.diff(interactions.indptr))
    table = pa.table({"user": users, "item": interactions.indices + 1, "weight": interactions.weights.astype(np.int64)})
    with path.open("wb") as file:
        shape = " ".join(map(str, (*interactions.shape, interactions.pairs)))
        file.write(f"%%MatrixMarket matrix coordinate real general\n{shape}\n".encode())
        csv.write_csv(table, file, csv.WriteOptions(include_header=False, delimiter=" ", quoting_style="none"))


class Buffalo:
    """A worker that has read the matrix, makes models of it, and waits for turns; use it with ``with``."""

    def __init__(self, matrix: Path) -> None:
        self._worker = subprocess.Popen(
            [PYTHON, "-I", WORKER, matrix],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Its BLAS would begin threads inside its own.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )
        self._answer()  # that it is ready

    def begin(self, factors: int, optimizer: str, threads: int, **more: float) -> None:
        """Make the model that is iterated from now on.

        ``optimizer`` is buffalo's own word: manual_cg, llt, ialspp, …; ``more`` are further options of its ALS.
        """
        self._ask(json.dumps({"d": factors, "optimizer": optimizer, "num_workers": threads, **more}))

    def iterate(self) -> Elsewhere:
        """One iteration over users and items."""
        return Elsewhere(processor=self._ask("")["processor"])

    def __enter__(self) -> "Buffalo":
        return self

    def __exit__(self, *failure: object) -> None:
        assert self._worker.stdin is not None
        self._worker.stdin.close()
        self._worker.wait()

    def _ask(self, line: str) -> dict:
        assert self._worker.stdin is not None
        self._worker.stdin.write(line + "\n")
        self._worker.stdin.flush()
        return self._answer()

    def _answer(self) -> dict:
        assert self._worker.stdout is not None
        line = self._worker.stdout.readline()
        if not line:
            raise RuntimeError(f"buffalo ended with exit code {self._worker.wait()}; it said why above")
        return json.loads(line)
