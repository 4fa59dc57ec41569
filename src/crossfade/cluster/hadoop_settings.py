"""How Crossfade uses a Hadoop cluster: the table [hadoop]."""

from dataclasses import dataclass
from typing import Annotated

from crossfade.core.errors import SettingsError
from crossfade.core.settings import Checked, Range

HEAP_MB = 512
"""What Java takes beside a task of ours, which holds a record or two of it."""


@dataclass(frozen=True, kw_only=True)
class HadoopSettings(Checked):
    """How a run with `--on hadoop`, or with runner = "hadoop", uses a Hadoop cluster."""

    # the program that submits jobs, with arguments if it needs any: "hadoop --config /etc/hadoop/night"
    command: str = "hadoop"
    # the jar of Hadoop Streaming; "" for the one below $HADOOP_HOME
    streaming_jar: str = ""
    # a directory for the input and output of jobs, which all nodes see: hdfs:///user/me/crossfade, or the path of a
    # shared folder
    folder: str = ""
    # whether all nodes see the home under the same path; then neighbours and lists are computed in reducers as well
    shared_home: bool = False
    # Python on the nodes, with Crossfade; "" for the path that it has on this machine
    python: str = ""
    user_blocks: Annotated[int, Range(1, 4096)] = 4  # K: users are in block u mod K
    item_blocks: Annotated[int, Range(1, 4096)] = 4  # L: items are in block i mod L
    # into how many files the cells of the grid are put, each the input of one mapper; 0 for a file for each cell
    mappers: Annotated[int, Range(0, 100_000)] = 0
    # 0 for one for each block of the side that is solved, and for those of users where lists are computed
    reducers: Annotated[int, Range(0, 100_000)] = 0
    # what a task may take, in MB; Java takes 512 MB more beside it
    memory_mb: Annotated[int, Range(256)] = 1024
    attempts: Annotated[int, Range(1, 100)] = 2  # how often a job is submitted before the fit ends with its error
    # further properties of jobs: ["mapreduce.job.queuename=night"]
    conf: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        for property_ in self.conf:
            if not property_.partition("=")[1]:
                raise SettingsError(f'conf has properties such as "mapreduce.job.queuename=night", not {property_!r}')
