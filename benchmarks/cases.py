"""Every case by name: one line each. Its record is benchmarks/results/<name>.json."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One case as it is run for the docs."""

    module: str  # of this package
    # {scratch}: a folder that is removed afterwards; {shared}: one that all cases of a run have in common, so that
    # large matrices are made once; {data}: where the real data sets are
    arguments: str = ""
    minutes: float = 1.0  # roughly, with all peers, on the two processors of the docs
    full: bool = False  # hours rather than minutes, or much memory: only with --full, or by name

    def command(self, **places: str) -> list[str]:
        """The words after ``python -m benchmarks.``, but for the place of the record; ``places`` by their names."""
        return [self.module, *(word.format(**places) for word in shlex.split(self.arguments))]


CASES = {
    "als": Case("als", "--factors 40 64 128", minutes=2),
    "als-cholesky": Case("als", "--factors 64 --solver cholesky --turns 3", minutes=2),
    "als-solvers": Case(
        "als_solvers",
        "--factors 8 16 32 64 128 256 --users 20000 --items 10000 --pairs 1500000 --most-for-cholesky 128",
        minutes=2,
        full=True,
    ),
    "als-solvers-512": Case(
        "als_solvers",
        "--factors 512 --users 20000 --items 10000 --pairs 1500000 --most-for-cholesky 512 --iterations 3",
        minutes=8,
        full=True,
    ),
    "als-spark": Case("als_spark", "--factors 40 64 --scratch {scratch}", minutes=10, full=True),
    "cluster": Case("cluster", "--directory {shared} --scratch {scratch} --factors 40", minutes=25, full=True),
    "cluster-64": Case(
        "cluster",
        "--directory {shared} --scratch {scratch} --factors 64 --sides half 'Spark MLlib'",
        minutes=5,
        full=True,
    ),
    "cluster-growth": Case(
        "cluster",
        "--directory {shared} --scratch {scratch} --millions 10 50 100 --factors 40 --sides half streamed --turns 1",
        minutes=20,
        full=True,
    ),
    "live-listens": Case("live_listens", minutes=8, full=True),
    "cassandra": Case("cassandra", "--scratch {scratch}", minutes=10, full=True),
    "retrieval": Case("retrieval", minutes=3),
    "retrieval-300k": Case("retrieval", "--items 300000 --factors 48", minutes=15, full=True),
    "shared-memory": Case("shared_memory", minutes=3),
    "tables": Case("tables", "--items 100000", minutes=10, full=True),
    "tables-300k": Case("tables", "--items 300000", minutes=45, full=True),
    "tables-1m": Case("tables", "--items 1000000 --methods clusters", minutes=6, full=True),
    "imports": Case("imports", "--megabytes 300 --rows 3000000 --scratch {scratch}", minutes=2),
    "interactions": Case("interactions", "--listens 10000000 --directory {scratch}", minutes=2),
    "pruning": Case("pruning", "--data {data} --items 300000", minutes=6, full=True),
    "candidates": Case("candidates", "--directory {shared}"),
    "candidates-1m": Case(
        "candidates",
        "--directory {shared} --users 1000000 --items 300000 --pairs 25000000",
        minutes=10,
        full=True,
    ),
    "quality": Case("quality", "--data {data}/hetrec-lastfm", minutes=6),
    "factors": Case("factors", minutes=5, full=True),
    "factors-1m": Case(
        "factors",
        "--users 1000000 --items 100000 --pairs 50000000 --turns 3 --without-peers --passes",
        minutes=10,
        full=True,
    ),
    "folding": Case("folding"),
    "pairs": Case("pairs", minutes=6),
    "pairs-1m": Case(
        "pairs",
        "--users 1000000 --items 100000 --pairs 50000000 --turns 3 --ease-items 20000",
        minutes=30,
        full=True,
    ),
    "words": Case("words", minutes=2),
    "growth": Case("growth", "--directory {shared}", minutes=4),
    "growth-390m": Case("growth", "--directory {shared} --millions 1 4 16 64 128 390", minutes=10, full=True),
    "job-2014": Case("job_2014", "--directory {shared}", minutes=25, full=True),
    "agreement": Case("agreement", "--data {data}/hetrec-lastfm"),
    "eight-one-one": Case("eight_one_one", "--data {data}/hetrec-lastfm", minutes=10, full=True),
    "missing": Case("missing", minutes=4),
    "sparse": Case("sparse", "--data {data}", minutes=15, full=True),
    "heads": Case("heads", "--data {data}/hetrec-lastfm", minutes=2),
    "truth": Case("truth", minutes=3),
}
