"""The steps that machines share make the artifacts of the single machine, to the byte, however they are divided."""

import json

import pytest

from crossfade.cluster.engine import LocalEngine
from crossfade.core.artifacts import read_manifest, verify, writing
from crossfade.core.home import Home
from crossfade.importing.imports import import_paths
from crossfade.pipeline.distributed import DISTRIBUTED
from crossfade.pipeline.local import LocalRunner
from crossfade.pipeline.plan import make_plan
from crossfade.pipeline.runner import UNWATCHED
from crossfade.pipeline.settings import Settings
from crossfade.pipeline.steps import Context

SETTINGS = """
[run]
models = ["blend", "als", "cooccurrence"]
[models.als]
factors = 8
iterations = 2
[neighbours]
size = 12
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """A home whose plan was carried out on this machine: listens and playlists of tracks, and a show's episodes."""
    directory = tmp_path_factory.mktemp("library")
    music, shows, lists = (directory / name for name in ("music", "shows", "lists"))
    for place in (music, shows, lists):
        place.mkdir()
    # Each user plays one of three tastes, now and then with long pauses.
    lines = ["user,artist,track,timestamp"]
    for number in range(2400):
        user, taste = number % 60, number % 3
        track = taste * 40 + (number * 7 + number // 60) % 40
        lines.append(f"user {user:02},artist {track // 4},song {track},{1_700_000_000 + number * 1000 + user % 7}")
    (music / "listens.csv").write_text("\n".join(lines) + "\n")
    for number in range(9):
        tracks = [
            {"title": f"song {3 * one + number}", "creator": f"artist {(3 * one + number) // 4}"} for one in range(8)
        ]
        (lists / f"{number}.jspf").write_text(json.dumps({"playlist": {"title": f"list {number}", "track": tracks}}))
    home = Home(directory / "home")
    home.path.mkdir()
    import_paths(home, [music])
    import_paths(home, [lists])
    home.settings_file.write_text(SETTINGS)
    steps = make_plan(home, Settings.of(home)).steps
    LocalRunner(threads=2, memory_bytes=1 << 30).run([*steps.values()], home, UNWATCHED)
    return home, steps


@pytest.mark.parametrize("slots", [1, 3])
def test_every_shared_step_makes_the_artifact_of_the_single_machine(library, tmp_path, monkeypatch, slots):
    monkeypatch.setattr("crossfade.cluster.retrieval.LEAST", 5)
    home, steps = library
    apart = Home(tmp_path / "home")
    for made in steps.values():
        place = made.place(apart)
        place.parent.mkdir(parents=True)
        place.symlink_to(made.place(home))
    apart.listens.symlink_to(home.listens)
    context = Context(home=apart, threads=1, memory_bytes=256 << 20)
    shared = {name: step for name, step in steps.items() if step.action in DISTRIBUTED}
    assert {step.action for step in shared.values()} >= {"interactions", "fit", "neighbours", "surface"}
    for name, step in shared.items():
        with writing(tmp_path / name, step.identity) as draft:
            DISTRIBUTED[step.action](step, draft, context, LocalEngine(slots))
        made, expected = verify(tmp_path / name), read_manifest(step.place(home))
        # ALS rounds its sums in another order; tests/cluster/test_als.py compares its vectors.
        assert made.files == expected.files or getattr(step, "model", "") == "als", name
        assert made.rows == expected.rows
