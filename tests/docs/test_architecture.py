"""What docs/architecture.md says about adding is true of the code: nothing else in `src/` names what is registered."""

import ast
import re
from pathlib import Path

import pytest

from crossfade.core.kinds import KINDS
from crossfade.formats.registry import FORMATS
from crossfade.models.registry import MODELS
from crossfade.nearest.registry import BACKENDS
from crossfade.pipeline.runner import RUNNERS
from crossfade.stores.registry import STORES
from crossfade.surfaces.registry import SURFACES

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "crossfade"
PAGE = (ROOT / "docs" / "architecture.md").read_text()

REGISTRIES = {
    "a kind of item": ("core/kinds.py", KINDS),
    "a format": ("formats/registry.py", FORMATS),
    "a model": ("models/registry.py", MODELS),
    "a surface": ("surfaces/registry.py", SURFACES),
    "an index": ("nearest/registry.py", BACKENDS),
    "a store": ("stores/registry.py", STORES),
    "a runner": ("pipeline/runner.py", RUNNERS),
}

# What may name a kind besides its entry: sources know what they hold, the demo world is one of music, and the
# documentation of HTTP has examples. Folders of music and the APIs of players are about tracks and artists.
KINDS_NAMED_IN = (
    "core/kinds.py",
    "formats/",
    "demo/",
    "live/music",
    "serve/answers.py",
    "serve/examples.py",
    "serve/live_routes.py",
    "serve/web/examples.py",
    "serve/listenbrainz/",
    "serve/audioscrobbler/",
    "serve/subsonic/",
    "cli/library.py",
)

# Names of models elsewhere: the default of [run] models, the model that knows words, and words that mean another thing
# (a link function, a feature, an extra).
MODELS_NAMED_IN = {
    "pipeline/distributed.py": set(MODELS),
    "pipeline/settings.py": set(MODELS),
    "surfaces/asking.py": {"cultural"},
    "kernels/likelihood/half_pass.py": {"logistic"},
    "kernels/likelihood/oracle.py": {"logistic"},
    "ranking/features.py": {"popularity"},
    "serve/examples.py": {"als"},
    "serve/web/examples.py": {"als"},
}


def strings(path: Path) -> set[str]:
    """The string constants of a module that are not documentation."""
    tree = ast.parse(path.read_text())
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation
    }


def modules() -> list[tuple[str, Path]]:
    return [(path.relative_to(SOURCE).as_posix(), path) for path in sorted(SOURCE.rglob("*.py"))]


@pytest.mark.parametrize("what", REGISTRIES)
def test_the_page_names_the_registry(what):
    place, registry = REGISTRIES[what]
    (row,) = re.findall(rf"^\| {what} \|.*$", PAGE, re.MULTILINE)
    assert f"`{place}`" in row
    assert registry
    assert (SOURCE / place).is_file()


def test_no_other_row_and_no_row_less():
    table = PAGE[PAGE.index("## How to add") : PAGE.index("## Artifacts")]
    assert set(re.findall(r"^\| (an? [a-z ]+?) \|", table, re.MULTILINE)) == {*REGISTRIES}


def test_nothing_but_sources_names_a_kind():
    names = {*KINDS, *(kind.plural for kind in KINDS.values())}
    naming = {place: strings(path) & names for place, path in modules()}
    assert {place: used for place, used in naming.items() if used and not place.startswith(KINDS_NAMED_IN)} == {}


def test_nothing_but_its_own_file_and_the_registry_names_a_model():
    found = {}
    for place, path in modules():
        own = {name for name, home in MODELS.items() if path.stem == home.partition(":")[0].rpartition(".")[2]}
        allowed = {*MODELS} if place == "models/registry.py" else own | MODELS_NAMED_IN.get(place, set())
        if used := (strings(path) & {*MODELS}) - allowed:
            found[place] = used
    assert found == {}


@pytest.mark.parametrize(("what", "registry"), [("store", STORES), ("runner", RUNNERS)])
def test_a_store_and_a_runner_are_named_in_settings_alone(what, registry):
    rooms = {place for place, path in modules() if strings(path) & {*registry}}
    # Some have the name of the extra that they need, which doctor knows too, or of a table, or of a program.
    clusters = {"cluster/spark.py", "pipeline/spark.py", "cluster/hadoop_settings.py", "pipeline/hadoop.py"}
    named = {
        "store": {"stores/registry.py", "stores/cassandra_session.py"},
        "runner": {"pipeline/runner.py", "pipeline/settings.py", "cli/options.py", "cli/library.py", *clusters},
    }
    allowed = {one: {*places, "cli/doctor.py"} for one, places in named.items()}
    assert rooms <= allowed[what]


@pytest.mark.parametrize("registry", [FORMATS, MODELS, BACKENDS, STORES, RUNNERS], ids=["f", "m", "i", "s", "r"])
def test_what_is_registered_is_a_file_of_its_room(registry):
    for home in registry.values():
        module = home.partition(":")[0]
        assert (SOURCE.parent / f"{module.replace('.', '/')}.py").is_file(), home
