"""How Crossfade uses a Spark cluster: the table [spark]."""

from dataclasses import dataclass
from typing import Annotated, Literal

from crossfade.core.errors import SettingsError
from crossfade.core.settings import Checked, Range


@dataclass(frozen=True, kw_only=True)
class SparkSettings(Checked):
    """How a run with `--on`, or with runner = "spark", uses a Spark cluster."""

    # the cluster: spark://HOST:PORT, yarn, k8s://https://HOST:PORT, or local[N] for N processors of this machine
    master: str = ""
    # how machines exchange data: "files" in the home, which all see under the same path, or Spark's "shuffle"
    exchange: Literal["files", "shuffle"] = "files"
    # how many executors; 0 for all that a standalone cluster can start, and for 2 on YARN and Kubernetes
    executors: Annotated[int, Range(0, 100_000)] = 0
    # processors of an executor; 0 for all of a standalone worker, and for 1 on YARN and Kubernetes
    cores: Annotated[int, Range(0, 1024)] = 0
    task_cores: Annotated[int, Range(1, 1024)] = 1  # processors of an executor that one task takes
    memory_mb: Annotated[int, Range(256)] = 2048  # what the tasks of an executor may take together, in MB
    heap_mb: Annotated[int, Range(512)] = 1024  # what Java takes besides in each executor, in MB
    # Python on the executors; "" for the path that it has on this machine
    python: str = ""
    # a directory for compiled kernels: on a shared folder one machine compiles for all; "" for beside the package
    kernels: str = ""
    # a directory on the own disk of each machine, for copies of shared files; "" for one of temporary files
    scratch: str = ""
    # how long to wait for the cluster, and for its first executor
    start_seconds: Annotated[float, Range(above=0, high=86_400)] = 120.0
    # further settings of Spark: ["spark.yarn.queue=night"]
    conf: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for setting in self.conf:
            name, equals, _ = setting.partition("=")
            if not (equals and name.startswith("spark.")):
                raise SettingsError(f'conf must be settings of Spark such as "spark.yarn.queue=night", not {setting!r}')
        if self.cores and self.task_cores > self.cores:
            raise SettingsError(f"task_cores must be at most cores, {self.cores}, not {self.task_cores}")
