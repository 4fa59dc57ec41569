"""The runner of a Hadoop cluster: streaming jobs fit ALS, and where nodes see the home, find neighbours and make lists.

The other steps are carried out on this machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from crossfade.cluster.hadoop import Hadoop, HadoopEngine
from crossfade.cluster.hadoop_als import HadoopALS
from crossfade.cluster.hadoop_settings import HadoopSettings
from crossfade.core.artifacts import writing
from crossfade.core.home import Home
from crossfade.core.progress import Progress
from crossfade.kernels.threads import one_blas_thread
from crossfade.models.als import ALS
from crossfade.pipeline.distributed import DISTRIBUTED
from crossfade.pipeline.learning import BuildSurface, ComputeNeighbours, FitModel
from crossfade.pipeline.local import LocalRunner, build
from crossfade.pipeline.runner import StepResult, Watch
from crossfade.pipeline.scheduling import FixedLimits, carry_out_all
from crossfade.pipeline.spark import SPREAD_BYTES
from crossfade.pipeline.steps import FLOOR, Context, Step


@dataclass(frozen=True, kw_only=True)
class HadoopRunner:
    """Runs steps on this machine, but fits ALS, and retrieves where nodes see the home, by jobs on Hadoop.

    threads, memory_bytes  the limits of steps that run on this machine
    settings               of the cluster
    """

    table: ClassVar[str] = "hadoop"

    threads: int
    memory_bytes: int
    settings: HadoopSettings

    def run(self, steps: Sequence[Step], home: Home, watch: Watch) -> list[StepResult]:
        """As `Runner.run`; raises also what `Hadoop.connect` raises, before any step."""
        if all(step.is_done(home) for step in steps):
            return LocalRunner(threads=self.threads, memory_bytes=self.memory_bytes).run(steps, home, watch)
        work = home.unfinished / "hadoop"
        hadoop = Hadoop.connect(self.settings, work)
        engine = HadoopEngine(hadoop, work)

        def carry_out(step: Step, estimate: int, progress: Progress) -> None:
            context = Context(home=home, threads=self.threads, memory_bytes=estimate, progress=progress)
            if isinstance(step, FitModel) and step.model == ALS.name:
                jobs = HadoopALS(hadoop, f"{step.name}-{step.identity.fingerprint[:8]}", work)
                with writing(step.place(home), step.identity) as draft:
                    step.save(step.fit(context, elsewhere=jobs), draft)
            elif self._spreads(step, estimate):
                with writing(step.place(home), step.identity) as draft:
                    DISTRIBUTED[step.action](step, draft, context, engine)
            else:
                build(step, context)

        with one_blas_thread():
            limits = FixedLimits(steps=self.threads, memory_bytes=self.memory_bytes)
            return carry_out_all(steps, home, watch, limits, carry_out)

    def _spreads(self, step: Step, estimate: int) -> bool:
        """Return whether reducers carry out ``step``."""
        large = estimate >= FLOOR + SPREAD_BYTES
        return self.settings.shared_home and large and isinstance(step, ComputeNeighbours | BuildSurface)
