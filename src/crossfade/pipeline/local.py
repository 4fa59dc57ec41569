"""The runner of this machine: independent steps side by side, in threads of this process."""

from collections.abc import Sequence
from dataclasses import dataclass

from crossfade.core.artifacts import writing
from crossfade.core.home import Home
from crossfade.core.progress import Progress
from crossfade.kernels.threads import one_blas_thread
from crossfade.pipeline.runner import StepResult, Watch
from crossfade.pipeline.scheduling import FixedLimits, carry_out_all
from crossfade.pipeline.steps import Context, Step


@dataclass(frozen=True, kw_only=True)
class LocalRunner:
    """Runs independent steps side by side in threads of this process; artifacts are those of one by one.

    threads       how many steps run at a time at most, and how many processors each may use
    memory_bytes  what the estimates of the steps that run at a time may add up to; a step that exceeds it runs alone

    An error or an interruption stops the other steps at their next report of progress.
    """

    threads: int
    memory_bytes: int

    def run(self, steps: Sequence[Step], home: Home, watch: Watch) -> list[StepResult]:
        """As `Runner.run`."""

        def carry_out(step: Step, estimate: int, progress: Progress) -> None:
            build(step, Context(home=home, threads=self.threads, memory_bytes=estimate, progress=progress))

        # BLAS would start threads of its own in each of ours. Its limit is one of the whole process, so it is set here.
        with one_blas_thread():
            limits = FixedLimits(steps=self.threads, memory_bytes=self.memory_bytes)
            return carry_out_all(steps, home, watch, limits, carry_out)


def build(step: Step, context: Context) -> None:
    """Make the artifact of ``step`` in this process, and publish it."""
    with writing(step.place(context.home), step.identity) as draft:
        step.run(draft, context)
