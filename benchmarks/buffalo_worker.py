"""Iterations of buffalo's ALS, on request: every line on standard input is answered by a line of JSON.

    python buffalo_worker.py MATRIX

A line with options of its ALS makes a model of the matrix, {"d": 64, "num_workers": 2, ...}; an empty one is an
iteration of the last model. MATRIX is in the MatrixMarket format. Runs in an environment that has buffalo and nothing
of ours; who asks is `benchmarks.buffalo`.
"""

import json
import os
import sys
import tempfile
import time

# What buffalo prints would be taken for an answer.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)

from buffalo.algo.als import ALS  # noqa: E402
from buffalo.data.mm import MatrixMarket, MatrixMarketOptions  # noqa: E402
from buffalo.misc.log import set_log_level  # noqa: E402

import buffalo  # noqa: E402


def main() -> None:
    set_log_level(0)
    with tempfile.TemporaryDirectory() as scratch:
        of_data = MatrixMarketOptions().get_default_option()
        of_data.input.main = sys.argv[1]
        of_data.data.validation = {}
        of_data.data.path = f"{scratch}/matrix.h5py"
        of_data.data.tmp_dir = scratch
        data = MatrixMarket(of_data)
        data.create()
        print(json.dumps({"ready": True}), file=answers)
        for line in sys.stdin:
            if line.strip():
                model = made(data, json.loads(line))
                buffer = model._get_buffer()
                print(json.dumps({"ready": True}), file=answers)
                continue
            busy = time.process_time()
            model._iterate(buffer, group="rowwise")
            model._iterate(buffer, group="colwise")
            print(json.dumps({"processor": time.process_time() - busy}), file=answers)


def made(data: MatrixMarket, asked: dict) -> ALS:
    """A model of the data, with first vectors."""
    options = buffalo.ALSOption().get_default_option()
    options.update({"compute_loss_on_training": False, **asked})
    model = ALS(options, data=data)
    model.initialize()
    return model


if __name__ == "__main__":
    main()
