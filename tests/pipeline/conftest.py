"""Steps that are small enough to follow by hand."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import pytest

from crossfade.core.artifacts import Draft
from crossfade.core.home import Home
from crossfade.pipeline.steps import Context, Step, needing

Act = Callable[[Context], None]


@dataclass(frozen=True, kw_only=True)
class Line(Step):
    """Writes one line from the lines of what it needs, after it has acted."""

    action: ClassVar[str] = "line"
    acts: ClassVar[dict[str, Act]] = {}

    label: str
    estimate: int = 0

    @property
    def name(self) -> str:
        return self.label

    @property
    def title(self) -> str:
        return self.label.title()

    def memory(self, home: Home) -> int:
        return self.estimate

    def run(self, draft: Draft, context: Context) -> None:
        self.acts[self.label](context)
        read = [(place / "line").read_text() for place in self.inputs(context.home).values()]
        (draft.path / "line").write_text(f"{self.label}{self.settings['word']}({','.join(read)})")
        draft.rows["lines"] = 1


@dataclass
class Kitchen:
    """Makes steps, and remembers which of them ran."""

    ran: list[str] = field(default_factory=list)

    def step(self, name: str, *needs: Step, word: str = "", act: Act = lambda _: None, memory_bytes: int = 0) -> Line:
        def remembered(context: Context) -> None:
            self.ran.append(name)
            act(context)

        Line.acts[name] = remembered
        return Line(label=name, needs=needing(*needs), settings={"word": word}, estimate=memory_bytes)


@pytest.fixture
def kitchen() -> Kitchen:
    return Kitchen()
