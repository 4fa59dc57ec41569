"""Fixtures that every room's tests share."""

import contextlib
import os
import re
import signal
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Before NumPy is imported: the threads of BLAS wait for each other by turning, which with the other processes of the
# suite takes ten times as long.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import hypothesis
import numpy as np
import pytest

from crossfade.core.artifacts import Identity, writing
from crossfade.core.catalogue import Catalogue, Items
from crossfade.core.home import Home
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.kinds import KINDS, kind_named
from crossfade.core.spaces import VectorSpace
from crossfade.core.tables import COLUMNS, EVERYONE, USER, SurfaceTable

# The first example of a kernel compiles it, so time says nothing; in continuous integration the examples are fixed.
hypothesis.settings.register_profile("crossfade", deadline=None, derandomize="CI" in os.environ)
hypothesis.settings.load_profile("crossfade")

# A shell has what it starts in the background ignore interruptions, which some tests are about.
signal.signal(signal.SIGINT, signal.default_int_handler)

SLOW_SECONDS = 1800
"""The limit of a slow test; that of the others is ``timeout`` in pyproject.toml."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give slow tests more time."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.timeout(SLOW_SECONDS))


SERVED = {r"tests/cluster/.*spark": "spark"}
"""The server that files of tests use, by their names. They run in one process, so that it starts once."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together the tests of a file, and of files that use the same server."""
    from xdist.scheduler import LoadFileScheduling

    class ByServer(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return next((server for names, server in SERVED.items() if re.match(names, file)), file)

    return ByServer(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_timeout_set_timer(settings: Any) -> Any:
    """Go on interrupting a test that is late: Hypothesis runs again what failed, and leaving a block may wait too."""
    done = yield
    signal.setitimer(signal.ITIMER_REAL, settings.timeout, 10)
    return done


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20140627)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def live(home: Home) -> Iterator[Any]:
    """The live state of `home`, with an account of ann."""
    from crossfade.stores.registry import open_live

    with contextlib.closing(open_live(home)) as state:
        state.add_user("ann")
        yield state


@pytest.fixture(scope="session")
def cassandra_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A node of Cassandra with passwords, which all processes of a run share; skips where it cannot be started.

    CROSSFADE_CASSANDRA may name the directory of one that runs: ``python -m tests.servers.cassandra start``.
    """
    from tests.servers.cassandra import ring, shared
    from tests.servers.jars import MissingError

    if running := os.environ.get("CROSSFADE_CASSANDRA"):
        yield ring(Path(running))
        return
    place = tmp_path_factory.getbasetemp()
    with contextlib.ExitStack() as held:
        try:
            directory = (place.parent if "PYTEST_XDIST_WORKER" in os.environ else place) / "cassandra"
            node = held.enter_context(shared(directory, authentication=True, restarts=False, tls=True))
        except MissingError as error:
            pytest.skip(f"Cassandra {error}")
        yield node


@pytest.fixture(scope="session")
def make_cassandra(cassandra_node: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Makes the settings of a store in `cassandra_node`, with a keyspace of its own."""
    from tests.servers.cassandra import PASSWORD, USER

    from crossfade.stores.cassandra_session import close_sessions
    from crossfade.stores.registry import StoreSettings

    password = tmp_path_factory.mktemp("cassandra") / "password"
    password.write_text(PASSWORD)

    def make(**changed: Any) -> Any:
        given = {
            "contact_points": cassandra_node.addresses,
            "port": cassandra_node.port,
            "keyspace": f"k{uuid.uuid4().hex}",
            "replication": 1,
            "username": USER,
            "password_file": str(password),
            "connect_seconds": 30.0,
            "request_seconds": 30.0,
        }
        # Those of earlier tests; one that is still asked connects again.
        close_sessions()
        return StoreSettings(kind="cassandra", **{**given, **changed})

    yield make
    close_sessions()


@pytest.fixture
def cassandra(make_cassandra: Callable[..., Any]) -> Any:
    """The settings of a store in a real Cassandra, with a keyspace of its own."""
    return make_cassandra()


@pytest.fixture(scope="session")
def make_store_settings(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """Makes the settings of a store of a kind in which nothing is yet; skips where its server cannot be started."""
    from crossfade.stores.registry import StoreSettings

    def make(kind: str) -> Any:
        return request.getfixturevalue("make_cassandra")() if kind == "cassandra" else StoreSettings(kind=kind)

    return make


@pytest.fixture(scope="session")
def _cassandra_of_live(make_cassandra: Callable[..., Any]) -> Any:
    # Tables take seconds to make, so that all tests of a process share them.
    return make_cassandra()


@pytest.fixture
def cassandra_live(_cassandra_of_live: Any) -> Iterator[Any]:
    """The settings of a live state in a real Cassandra, without any account; all accounts are removed after a test."""
    from crossfade.stores.live_cassandra import CassandraLive

    yield _cassandra_of_live
    with contextlib.closing(CassandraLive(_cassandra_of_live)) as state:
        for account in state.accounts():
            state.remove_user(account.user)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets, which may not be redistributed; skips where it is absent."""
    place = Path(os.environ.get("CROSSFADE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not place.is_dir():
        pytest.skip(f"needs the real data sets (HetRec, Taste Profile, …) in {place}; set CROSSFADE_DATA")
    return place


@dataclass(frozen=True)
class ReleaseParts:
    """Everything that a small release is published from, as the arguments of ``publish``."""

    tables: list[SurfaceTable]
    catalogue: Catalogue
    parts: dict[str, Path]
    inputs: dict[str, str]
    settings: dict[str, Any]

    def publish(self, releases: Any, **inputs: str) -> Any:
        """Publish to ``releases``; other ``inputs`` make another release of the same content."""
        return releases.publish(
            self.tables,
            self.catalogue,
            parts=self.parts,
            inputs={**self.inputs, **inputs},
            settings=self.settings,
        )


def surface_table(
    surface: str,
    key: str,
    kind: str,
    lists: dict[str, list[tuple[Any, ...]]],
    *columns: str,
    reason_kind: str | None = None,
) -> SurfaceTable:
    """A table from {key: [(catalogue row, value of each column), ...]}."""
    keys = Ids.of(lists)
    entries = [entry for one in keys for entry in lists[one]]
    return SurfaceTable(
        surface=surface,
        key=key,
        kind=kind,
        keys=keys,
        indptr=np.cumsum([0, *(len(lists[one]) for one in keys)]).astype(np.int64),
        items=np.array([entry[0] for entry in entries], dtype=np.int32),
        columns={
            column: np.array([entry[place] for entry in entries], dtype=COLUMNS[column])
            for place, column in enumerate(columns, start=1)
        },
        reason_kind=reason_kind,
    )


def items_of(
    kind: str,
    ids: Sequence[str] | Ids,
    names: Sequence[str],
    *,
    listeners: Any = 0,
    plays: Any = 0,
    parents: Any = MISSING,
    **fields: Any,
) -> Items:
    """Items of ``kind`` with these ids, ascending; a field that is left out is empty, a number stands for all items."""

    def column(values: Any, dtype: Any) -> np.ndarray:
        return np.ascontiguousarray(np.broadcast_to(np.asarray(values, dtype=dtype), len(ids)))

    described = kind_named(kind)
    return Items(
        kind=kind,
        ids=Ids.of(ids),
        names=names,
        listeners=column(listeners, np.int64),
        plays=column(plays, np.int64),
        parents=column(parents, np.int32) if described.parent else None,
        fields={
            field.name: fields.get(field.name, [""] * len(ids))
            if field.type == "text"
            else column(fields.get(field.name, 0), np.int32)
            for field in described.fields
        },
    )


@pytest.fixture(scope="session")
def make_release_parts() -> Callable[[Path], ReleaseParts]:
    """Makes what `small_release` makes, below any directory."""
    return small_release


@pytest.fixture
def release_parts(tmp_path: Path) -> ReleaseParts:
    """What `small_release` makes, below this test's own directory."""
    return small_release(tmp_path)


def small_release(directory: Path) -> ReleaseParts:
    """Five artists, four tracks, a show with two episodes, three users; five tables and two parts."""
    artists = items_of(
        "artist",
        ["mb:acdc", "mb:bjork", "mb:motorhead", "mb:radiohead", "name:sigur rós"],
        ["AC/DC", "Björk", "Motörhead", "Radiohead", "Sigur Rós"],
        listeners=[5, 9, 5, 8, 2],
        plays=[50, 90, 60, 80, 10],
    )
    tracks = items_of(
        "track",
        ["t/1 creep", "t:army", "t:creep", "t:hunter"],
        ["Creep", "Army of Me", "Creep", "Hunter"],
        parents=[3, 1, MISSING, 1],
        listeners=[7, 6, 1, 9],
        plays=[70, 60, 2, 30],
        album=["Pablo Honey", "Post", "", ""],
        duration_ms=[238_000, 0, 0, 255_000],
    )
    shows = items_of("show", ["s:quiz"], ["Quiz Night"], listeners=3, plays=4)
    episodes = items_of(
        "episode",
        ["e:1", "e:2"],
        ["Quiz One", "Quiz Two"],
        parents=0,
        listeners=[3, 1],
        plays=[3, 1],
        duration_ms=[1_800_000, 0],
    )
    tables = [
        surface_table(
            "related",
            "artist",
            "artist",
            {"mb:acdc": [(2, 0.9), (3, 0.1)], "mb:radiohead": [(1, 0.75), (4, 0.5), (2, 0.25)]},
            "score",
        ),
        surface_table("radio", "track", "track", {"t/1 creep": [(1, 0.5), (3, 0.25)], "t:army": [(3, 1.5)]}, "score"),
        surface_table("radio", "episode", "episode", {"e:1": [(1, 0.5)]}, "score"),
        surface_table(
            "discover",
            USER,
            "artist",
            {
                "hetrec:2": [(4, 0.8, 3, 31), (0, 0.1, MISSING, 0)],
                "hetrec:7": [(1, 0.3, 2, 5)],
                "lastfm:7": [(1, 0.3, 2, 6)],
            },
            "score",
            "reason",
            "reason_plays",
            reason_kind="artist",
        ),
        surface_table("popular", USER, "track", {EVERYONE: [(3,), (0,)]}),
    ]
    catalogue = Catalogue([artists, tracks, shows, episodes])
    space = VectorSpace(
        model="als",
        kind="artist",
        metric="dot",
        item_ids=artists.ids,
        item_vectors=np.eye(5, 3, dtype=np.float32),
        user_ids=Ids.of(["hetrec:2"]),
        user_vectors=np.ones((1, 3), dtype=np.float32),
    )
    parts = {}
    for name, part in (("catalogue", catalogue), ("als-artist", space)):
        parts[name] = directory / "parts" / name
        with writing(parts[name], Identity(kind="part", version=1)) as draft:
            part.save(draft.path)
    return ReleaseParts(tables, catalogue, parts, {"surfaces": "5f" * 32}, {"run": {"models": ["als"]}})


@pytest.fixture(scope="session")
def make_genre_release() -> Callable[[Path], ReleaseParts]:
    """Makes what `genre_release` makes, below any directory."""
    return genre_release


@pytest.fixture(scope="session")
def genres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The release of `genre_release`, opened; tests only read it."""
    from crossfade.stores.registry import open_releases
    from crossfade.surfaces.asking import OpenRelease

    directory = tmp_path_factory.mktemp("genres")
    home = Home(directory / "home")
    home.prepare()
    releases = open_releases(home)
    genre_release(directory).publish(releases)
    with releases.open() as release:
        yield OpenRelease(release)


GENRES = ("doom metal", "acid jazz", "dub techno")


def genre_release(directory: Path) -> ReleaseParts:
    """Twelve artists of three genres, a03 of the first, with eight tracks each, a03-5 the sixth; a Radio of all tracks.

    The closest tracks of a track are those of its genre. Of the artists tags are known. The user ann has played the
    tracks -0 to -4 of a00 and a03, -0 less and longer ago than -4; four others have played much of each genre.
    """
    from crossfade.core.texts import Texts
    from crossfade.core.writings import SOURCES, Writings
    from crossfade.models.als import ALS
    from crossfade.models.cultural import Cultural

    artists, tracks = 12, 8
    names = [f"a{artist:02}-{place}" for artist in range(artists) for place in range(tracks)]
    genre = np.arange(artists * tracks) // tracks % len(GENRES)
    popular = np.tile(np.arange(tracks, 0, -1), artists)
    root = items_of("artist", [f"a{row:02}" for row in range(artists)], [f"Band {row:02}" for row in range(artists)])
    child = items_of(
        "track",
        names,
        [f"Song {name}" for name in names],
        parents=np.arange(len(names)) // tracks,
        listeners=popular,
        plays=popular * 2,
        duration_ms=180_000,
    )

    def pool(row: int) -> list[tuple[int, float]]:
        others = np.random.default_rng(row).permutation(np.delete(np.arange(len(names)), row))
        near_first = others[np.argsort(genre[others] != genre[row], kind="stable")]
        return [(int(other), 1 - rank / len(names)) for rank, other in enumerate(near_first)]

    page = [(names.index("a06-1"), 0.5, 0, 9)]
    tables = [
        surface_table("radio", "track", "track", {name: pool(row) for row, name in enumerate(names)}, "score"),
        surface_table(
            "discover", USER, "track", {"ann": page}, "score", "reason", "reason_plays", reason_kind="artist"
        ),
        surface_table("popular", USER, "track", {EVERYONE: [(row,) for row in range(0, len(names), tracks)]}),
    ]
    plays = [("ann", f"a{artist}-{place}", place + 4) for artist in ("00", "03") for place in range(5)]
    plays += [
        (f"u{user:02}", name, 3) for user in range(12) for row, name in enumerate(names) if genre[row] == user % 3
    ]
    made: dict[str, Any] = {"catalogue": Catalogue([root, child])}
    for kind in ("artist", "track"):
        items = [item if kind == "track" else item.split("-")[0] for _, item, _ in plays]
        played = Interactions.from_counts(
            [user for user, *_ in plays], items, [count for *_, count in plays], kind=kind
        )
        ages = np.array([400 - 99 * int(name[-1]) if kind == "track" else 4 for name in played.item_ids])
        last = (1_700_000_000 - 86_400 * ages[played.indices]).astype(np.uint32)
        made[f"interactions-{kind}"] = replace(played, last_played=last)
        made[f"als-{kind}"] = ALS(factors=8, iterations=3).fit(made[f"interactions-{kind}"])
    about = [(row, word) for row in range(artists) for word in GENRES[row % len(GENRES)].split()]
    words = Writings(
        kind="artist",
        item_ids=root.ids,
        names=Texts.of(root.names),
        sources=np.full(len(about), SOURCES.index("tag"), np.uint8),
        items=np.array([row for row, _ in about], np.int32),
        counts=np.full(len(about), 5),
        texts=Texts.of([word for _, word in about]),
    )
    made["cultural-artist"] = Cultural(factors=8, most_items=0.5).fit(words)
    parts = {}
    for name, part in made.items():
        parts[name] = directory / "parts" / name
        with writing(parts[name], Identity(kind="part", version=1)) as draft:
            part.save(draft.path)
    return ReleaseParts(
        tables, made["catalogue"], parts, {"surfaces": "5f" * 32}, {"run": {"models": ["als", "cultural"]}}
    )


LIBRARIES = ("artist", "track", "artist and track", "show and episode")
"""The kinds that a library can have listeners of, as `surface_inputs` takes them."""


@pytest.fixture
def surface_inputs(rng: np.random.Generator) -> Callable[[str], Any]:
    """Makes the `SurfaceInputs` of one of `LIBRARIES`: 60 listeners of four genres, 40 roots with four children each.

    Vectors lie near the axis of their genre. The last two roots of each genre have one listener; the first user has
    played nothing twice, the second one root only.
    """
    # Imported here, so that a room's tests depend on no more than the rooms that they use.
    from crossfade.models.factors import FittedItems
    from crossfade.ranking.neighbourhood import Neighbourhood
    from crossfade.surfaces.contract import SurfaceInputs

    def make(knows: str, child_ids: str = "a{:02d}-{}") -> SurfaceInputs:
        kinds = knows.split(" and ")
        root = KINDS[kinds[0]].root
        child = next(kind.name for kind in KINDS.values() if kind.parent == root)
        roots, genre = 40, np.arange(40) % 4
        users, items, plays = [], [], []
        for user in range(60):
            taste = np.where(genre == user % 4, 12.0, 1.0) / (1 + np.arange(roots) // 4)
            taste[-8:] = 0
            for item in rng.choice(roots, 1 if user == 1 else 10, replace=False, p=taste / taste.sum()):
                users.append(user)
                items.append(int(item))
                plays.append(1 if user == 0 else int(rng.geometric(0.08)))
        for item in range(32, 40):
            users.append(item)
            items.append(item)
            plays.append(7)
        names = [f"u{user:02d}" for user in users]
        of_roots = Interactions.from_counts(names, [f"a{item:02d}" for item in items], plays, kind=root)
        chosen = rng.integers(0, 4, len(items))
        of_children = Interactions.from_counts(
            names * 2,
            [
                child_ids.format(item, place)
                for offset in (0, 1)
                for item, place in zip(items, (chosen + offset) % 4, strict=True)
            ],
            plays * 2,
            kind=child,
        )
        parent_of = {child_ids.format(item, place): f"a{item:02d}" for item in range(roots) for place in range(4)}
        parents = of_roots.item_ids.rows([parent_of[name] for name in of_children.item_ids])
        interactions = {one.kind: one for one in (of_roots, of_children) if one.kind in kinds}
        user_genre = np.array([int(name[1:]) % 4 for name in of_roots.user_ids])
        genres = {root: genre, child: genre[parents]}
        models = {
            kind: FittedItems(space=planted_space(rng, played, genres[kind], user_genre), support=played.listeners())
            for kind, played in interactions.items()
        }
        return SurfaceInputs(
            catalogue=Catalogue(
                [
                    items_of(
                        kind,
                        played.item_ids,
                        [f"Item {name}" for name in played.item_ids],
                        listeners=played.listeners(),
                        plays=played.item_plays(),
                        parents=parents if kind == child and root in interactions else MISSING,
                    )
                    for kind, played in interactions.items()
                ]
            ),
            interactions=interactions,
            models={kind: [model] for kind, model in models.items()},
            neighbourhoods={kind: Neighbourhood.build(model) for kind, model in models.items()},
            threads=None,
        )

    return make


@pytest.fixture
def small_library(surface_inputs: Callable[[str], Any], tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes a home with a release of such a library, led by ALS, and a live state beside it: home, release and state.

    All plays were at ``last_played``, in milliseconds since 1970; 0 for an unknown time.
    """
    from crossfade.models.als import ALS
    from crossfade.ranking.neighbourhood import Neighbourhood
    from crossfade.stores.registry import open_live, open_releases
    from crossfade.surfaces.contract import build_table
    from crossfade.surfaces.discover import Discover, DiscoverSettings

    opened: list[Any] = []
    discover = {"size": 12, "taste_candidates": 10, "related": 9}

    def make(knows: str, last_played: int = 0, **more: str) -> Any:
        inputs = surface_inputs(knows, **more)
        played = {
            kind: replace(one, last_played=np.full(one.pairs, last_played // 1000, np.uint32))
            for kind, one in inputs.interactions.items()
        }
        models = {kind: ALS(factors=8, iterations=3).fit(one) for kind, one in played.items()}
        near = {kind: Neighbourhood.build(model) for kind, model in models.items()}
        leading = {kind: [model] for kind, model in models.items()}
        inputs = replace(inputs, interactions=played, models=leading, neighbourhoods=near)
        parts = {"catalogue": inputs.catalogue}
        parts |= {f"interactions-{kind}": one for kind, one in played.items()}
        parts |= {f"als-{kind}": model for kind, model in models.items()}
        parts |= {f"neighbours-als-{kind}": one for kind, one in near.items()}
        for name, part in parts.items():
            with writing(tmp_path / "parts" / name, Identity(kind="part", version=1)) as draft:
                part.save(draft.path)
        home = Home(tmp_path / "home")
        home.prepare()
        surface, settings = Discover(), DiscoverSettings(**discover)
        tables = [build_table(surface.prepare(inputs, one, settings), one) for one in surface.listings(inputs.library)]
        if "track" in played:
            tables.append(surface_table("popular", USER, "track", {EVERYONE: [(row,) for row in range(20)]}))
        releases = open_releases(home)
        releases.publish(
            tables,
            inputs.catalogue,
            parts={name: tmp_path / "parts" / name for name in parts},
            inputs={"a": "b"},
            settings={"run": {"models": ["als"]}, "surfaces.discover": discover},
        )
        release, state = releases.open(), open_live(home)
        opened.extend([release, state])
        return home, release, state

    yield make
    for one in opened:
        one.close()


def planted_space(
    rng: np.random.Generator, interactions: Interactions, item_genre: np.ndarray, user_genre: np.ndarray
) -> VectorSpace:
    """Vectors of eight factors near the axes of their genres."""
    axes = np.eye(8, dtype=np.float32)
    noise = rng.normal(0, 0.25, (len(item_genre) + len(user_genre), 8)).astype(np.float32)
    return VectorSpace(
        model="planted",
        kind=interactions.kind,
        metric="dot",
        item_ids=interactions.item_ids,
        item_vectors=axes[item_genre] + noise[: len(item_genre)],
        user_ids=interactions.user_ids,
        user_vectors=axes[user_genre] + noise[len(item_genre) :],
    )
