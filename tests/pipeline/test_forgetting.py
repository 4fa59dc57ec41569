"""Forgetting: afterwards no byte of it is in the home, whatever was interrupted."""

import contextlib
import json
import shutil

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from crossfade.cli import crossfade
from crossfade.core.artifacts import verify
from crossfade.core.errors import ArtifactError, InputError, NotReadyError, UnknownIdError
from crossfade.core.home import Home
from crossfade.core.ids import Ids
from crossfade.core.schemas import TABLES
from crossfade.demo.importing import import_demo
from crossfade.demo.settings import DemoSettings, audio_place, truth_place
from crossfade.demo.sounds import Sounds
from crossfade.demo.truth import Truth
from crossfade.importing import library
from crossfade.importing.forgetting import pending
from crossfade.importing.imports import import_paths
from crossfade.importing.library import imports, people_of
from crossfade.importing.theirs import JUDGED
from crossfade.live.taste import Tastes
from crossfade.pipeline import forgetting
from crossfade.pipeline.run import run
from crossfade.pipeline.runner import UNWATCHED
from crossfade.stores.live import Listen, Track, Which
from crossfade.stores.registry import open_live, open_releases
from crossfade.stores.releases import Releases
from crossfade.surfaces.asking import OpenRelease

CANARIES = ("annika", "zyzzyva", "quixotic")
"""The id of the listener who is forgotten, an artist and a title that nobody else has."""

SETTINGS = '[run]\nmodels = ["cooccurrence", "popularity"]\nkeep_artifacts = 9\nkeep_releases = 9\n'


def rows(user, *artists, start=1_700_000_000):
    """A table of listens; each artist is played thrice, a title each."""
    lines = ["user,artist,title,listened_at"]
    for place, artist in enumerate(artists * 3):
        title = "Quixotic Song" if artist.startswith("Zyzzyva") else f"Song {place % 2}"
        lines.append(f"{user},{artist},{title},{start + place * 400}")
    return "\n".join(lines) + "\n"


def body(table):
    return table.partition("\n")[2]


def new_home(directory):
    made = Home(directory / "home")
    made.prepare()
    made.settings_file.write_text(SETTINGS)
    return made


@pytest.fixture
def home(tmp_path):
    return new_home(tmp_path)


@pytest.fixture(scope="module")
def whole_family(tmp_path_factory):
    """Bob alone, released; then a file of Bob, Carl and Annika, and one of Annika alone, both released."""
    directory = tmp_path_factory.mktemp("family")
    home = new_home(directory)
    files = {
        "bob": rows("bob", "Can", "Neu", "Faust"),
        "family": rows("carl", "Can", "Neu", "Cluster")
        + body(rows("annika", "Can", "Neu", "Zyzzyva Ensemble"))
        + body(rows("bob", "Cluster", "Can", start=1_700_500_000)),
        "annika-more": rows("annika", "Cluster", "Zyzzyva Duo", start=1_701_000_000),
    }
    for name, content in files.items():
        (directory / f"{name}.csv").write_text(content)
        import_paths(home, [directory / f"{name}.csv"])
        if name != "family":
            run(home, UNWATCHED)
    return directory


@pytest.fixture
def family(whole_family, tmp_path):
    """A copy of it, to change."""
    shutil.copytree(whole_family, tmp_path, dirs_exist_ok=True)
    return Home(tmp_path / "home")


def traces(home, *texts):
    """Return where ``texts`` occur in any case: in names of files, their bytes, and the values of Parquet files."""
    found = set()
    for path in home.path.rglob("*"):
        parts = [str(path.relative_to(home.path)).encode()]
        if path.is_file():
            parts.append(path.read_bytes())
        if path.suffix == ".parquet":
            parts.append(json.dumps(pq.read_table(path).to_pylist(), default=str, ensure_ascii=False).encode())
        found.update((text, path) for part in parts for text in texts if text.encode() in part.lower())
    return found


def served(home):
    with open_releases(home).open() as release:
        return release.version, list(Ids.load(release.part("interactions-artist") / "user_ids"))


def assert_forgotten(home):
    assert not traces(home, *CANARIES)
    assert pending(home) is None
    releases = open_releases(home)
    for version in releases.versions():
        releases.verify(version)
    for one in imports(home):
        verify(one.path)
        one.ledger.check()


def test_the_canaries_are_everywhere_before(family):
    places = {path.relative_to(family.path).parts[0] for _, path in traces(family, *CANARIES)}
    assert places == {"listens", "runs", "releases"}
    assert {text for text, _ in traces(family, *CANARIES)} == set(CANARIES)


def test_a_listener_is_forgotten_to_the_last_byte(family):
    before = open_releases(family).versions()
    forgotten = forgetting.forget(family, users=["annika"], watch=UNWATCHED)
    assert_forgotten(family)
    assert {change.name: change.deleted for change in forgotten.imports} == {"annika-more": True, "family": False}
    assert forgotten.imports[1].rows == {"listens": 9, "artists": 1, "tracks": 1}
    # The release of Bob alone has nothing of Annika, and stays.
    assert (before[1:], forgotten.served) == (forgotten.releases, True)
    assert open_releases(family).versions() == [before[0], forgotten.run.release]
    version, users = served(family)
    assert (version, users) == (forgotten.run.release, ["bob", "carl"])
    with pytest.raises(ArtifactError, match="There is no release"):
        open_releases(family).activate(before[1])
    assert open_releases(family).roll_back() == before[0]


def test_others_keep_what_they_played(family):
    def played():
        found = []
        for one in imports(family):
            for path in one.files("listens"):
                found += [row for row in pq.read_table(path).to_pylist() if row["user_id"] != "annika"]
        return sorted(found, key=lambda row: (row["user_id"], row["listened_at"]))

    before = played()
    forgetting.forget(family, users=["annika"])
    assert played() == before
    (one,) = (one for one in imports(family) if one.name == "family")
    names = pq.read_table(one.files("artists")[0])["name"].to_pylist()
    assert sorted(names) == ["Can", "Cluster", "Neu"]
    assert (one.ledger.listeners, one.ledger.plays, one.ledger.formats) == (2, 15, ["columns"])
    # The same run as for a library that never had her.
    assert run(family, UNWATCHED).published


def test_an_import_is_forgotten_to_the_last_byte(family, tmp_path):
    (tmp_path / "xanadu.csv").write_text(rows("dora", "Can", "Xanadu Trio", start=1_702_000_000))
    (tmp_path / "later.csv").write_text(rows("bob", "Can", "Harmonia", start=1_703_000_000))
    import_paths(family, [tmp_path / "xanadu.csv", tmp_path / "later.csv"])
    run(family, UNWATCHED)
    assert traces(family, "xanadu", "dora")
    forgotten = forgetting.forget(family, ["xanadu"], watch=UNWATCHED)
    assert [(change.name, change.deleted) for change in forgotten.imports] == [("xanadu", True)]
    assert not traces(family, "xanadu", "dora")
    assert pending(family) is None
    with pytest.raises(UnknownIdError, match="There is no import 'xanadu'"):
        forgetting.forget(family, ["xanadu"])


def test_what_was_forgotten_can_be_imported_as_new(family, tmp_path):
    before = served(family)[1]
    forgetting.forget(family, users=["annika"], watch=UNWATCHED)
    ledgers = import_paths(family, [tmp_path / "annika-more.csv", tmp_path / "family.csv"])
    assert [ledger.already_imported for ledger in ledgers] == [None, None]
    assert [ledger.accepted for ledger in ledgers] == [6, 9]
    run(family, UNWATCHED)
    assert served(family)[1] == before
    assert pending(family) is None


def test_without_a_run_the_newest_release_without_them_is_served(family):
    first = open_releases(family).versions()[0]
    forgotten = forgetting.forget(family, users=["annika"])
    assert forgotten.run is None
    assert_forgotten(family)
    assert open_releases(family).active() == (first, False)
    forgetting.forget(family, users=["bob"])
    assert open_releases(family).versions() == []
    with pytest.raises(NotReadyError):
        open_releases(family).active()
    assert run(family, UNWATCHED).active


def test_a_library_of_one_listener_is_empty_afterwards(home, tmp_path):
    (tmp_path / "annika.csv").write_text(rows("annika", "Can", "Zyzzyva"))
    import_paths(home, [tmp_path / "annika.csv"])
    run(home, UNWATCHED)
    forgotten = forgetting.forget(home, users=["annika"], watch=UNWATCHED)
    assert (forgotten.run, forgotten.served) == (None, True)
    assert_forgotten(home)
    assert open_releases(home).versions() == []


def test_a_release_that_is_pinned_is_replaced_too(family):
    releases = open_releases(family)
    releases.activate(releases.versions()[1])
    forgotten = forgetting.forget(family, users=["annika"], watch=UNWATCHED)
    assert open_releases(family).active() == (forgotten.run.release, False)
    assert forgotten.run.active
    assert_forgotten(family)


def test_nothing_changes_in_a_dry_run(family):
    def contents():
        return {path: path.read_bytes() for path in family.path.rglob("*") if path.is_file()}

    before = contents()
    told = forgetting.preview(family, users=["annika"])
    assert contents() == before
    done = forgetting.forget(family, users=["annika"], watch=UNWATCHED)
    assert (told.imports, told.releases, told.artifacts, told.served) == (
        done.imports,
        done.releases,
        done.artifacts,
        done.served,
    )


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("where", ["removal.clean_imports", "removal.affected", "forgetting.run_locked", "run.finish"])
def test_the_next_command_finishes_what_was_stopped(family, tmp_path, monkeypatch, where):
    """The same wherever it stops: see tests/faults for a kill at every step."""

    def stop(*_, **__):
        raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(f"crossfade.pipeline.{where}", stop)
        with pytest.raises(StoppedError):
            forgetting.forget(family, users=["annika"], watch=UNWATCHED)
    assert pending(family) is not None
    assert served(family)[1] == ["annika", "bob", "carl"] if where != "run.finish" else ["bob", "carl"]
    # Her file is imported before the next run: what is forgotten is what was there at the time.
    (ledger,) = import_paths(family, [tmp_path / "annika-more.csv"])
    assert ledger.accepted == 6
    assert pending(family).users == ()
    run(family, UNWATCHED)
    assert served(family)[1] == ["annika", "bob", "carl"]
    assert pending(family) is None
    assert not traces(family, "zyzzyva ensemble")
    forgetting.forget(family, users=["annika"], watch=UNWATCHED)
    assert_forgotten(family)


def test_a_release_that_is_to_be_forgotten_is_not_rolled_back_to(family, monkeypatch):
    before = open_releases(family).versions()

    def stop(*_):
        raise StoppedError

    with monkeypatch.context() as patched:
        patched.setattr(forgetting, "run_locked", stop)
        with pytest.raises(StoppedError):
            forgetting.forget(family, users=["annika"], watch=UNWATCHED)

    def call(*arguments):
        return CliRunner().invoke(crossfade, [*arguments, "--home", str(family.path)])

    assert open_releases(family).versions() == [before[0], before[-1]]
    refused = call("rollback", before[-1])
    assert refused.exit_code == 7
    assert "is being forgotten" in refused.output
    assert "`crossfade run` finishes it" in call("status").output
    assert call("rollback").exit_code == 0
    assert_forgotten(family)
    assert open_releases(family).active() == (before[0], True)


def test_nothing_of_a_release_that_is_to_be_forgotten_goes_into_the_next(family, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(forgetting, "run_locked", lambda *_: None)
        forgetting.forget(family, users=["annika"], watch=UNWATCHED)
    run(family, UNWATCHED, models=["cooccurrence"])
    assert_forgotten(family)
    with open_releases(family).open() as release:
        assert OpenRelease(release).models == ["cooccurrence"]


def test_who_reads_a_release_cannot_keep_it(family, monkeypatch):
    monkeypatch.setattr(Releases.retire, "__defaults__", (0.0,))
    with open_releases(family).open() as release:
        forgetting.forget(family, users=["annika"], watch=UNWATCHED)
        assert_forgotten(family)
        # What is open already can be read on.
        assert release.tables.item("artist", "zyzzyva duo").listeners == 1


def test_an_import_that_is_named_after_somebody_gets_another_name(home, tmp_path):
    folder = tmp_path / "Annika and Bob"
    folder.mkdir()
    for user in ("annika", "bob"):
        (folder / f"{user}.csv").write_text(rows(user, "Can", "Zyzzyva" if user == "annika" else "Neu"))
    import_paths(home, [folder])
    home.jobs.mkdir()
    (home.jobs / "job.json").write_text('{"what": "annika.csv"}')  # the file was dropped on the web page
    home.evaluation.write_text('{"finished": 1, "split": "without annika"}')
    forgetting.forget(home, users=["annika"])
    assert_forgotten(home)
    (one,) = imports(home)
    assert (one.name, people_of(one)) == ("import-1", {"bob"})


def test_playlists_and_friends_go_too(tmp_path):
    demo = Home(tmp_path / "demo")
    import_demo(demo, DemoSettings(listeners=40, artists=40))
    (one,) = imports(demo)
    owners = pq.read_table(one.files("playlists")[0])["owner"].to_pylist()
    user = next(owner for owner in owners if owner is not None)
    forgetting.forget(demo, users=[user])
    (one,) = imports(demo)
    assert user not in people_of(one)
    known = set(pq.read_table(one.files("playlists")[0])["playlist_id"].to_pylist())
    listed = set(pq.read_table(one.files("playlist_items")[0])["playlist_id"].to_pylist())
    assert listed <= known
    contexts = {row for path in one.files("listens") for row in pq.read_table(path)["context"].to_pylist()}
    gone = {context for context in contexts if context and context.startswith("demo:playlist")} - known
    assert not gone


def test_a_demo_world_sounds_on_until_it_is_forgotten(tmp_path):
    """The truth about its listeners goes with the first of them, its sound with the import."""
    demo = Home(tmp_path / "demo")
    import_demo(demo, DemoSettings(listeners=40, artists=40))
    before = Sounds(demo).path_of("demo:track:3").read_bytes()
    forgetting.forget(demo, users=[sorted(people_of(imports(demo)[0]))[0]])
    with pytest.raises(ArtifactError):
        Truth.load(truth_place(demo))
    assert [path.name for path in truth_place(demo).iterdir()] == ["manifest.json"]
    place = Sounds(demo).path_of("demo:track:3")
    assert place.read_bytes() == before
    forgetting.forget(demo, ["demo"])
    assert not Sounds(demo).invented
    assert not truth_place(demo).exists()
    assert not audio_place(demo).exists()


def test_a_damaged_import_can_be_forgotten_as_a_whole(home, tmp_path):
    for name in ("annika", "bob"):
        (tmp_path / f"{name}.csv").write_text(rows(name, "Can"))
        import_paths(home, [tmp_path / f"{name}.csv"])
    (home.listens / "annika" / "manifest.json").write_text("damaged")
    assert CliRunner().invoke(crossfade, ["forget", "annika", "--home", str(home.path)]).exit_code == 0
    assert [one.name for one in imports(home)] == ["bob"]
    assert_forgotten(home)


def test_damage_is_not_given_new_checksums(family):
    ledger = family.listens / "family" / "ledger.json"
    ledger.write_bytes(ledger.read_bytes() + b" ")
    with pytest.raises(ArtifactError, match=r"ledger.json has"):
        forgetting.forget(family, users=["annika"])
    # That import has to go as a whole then, after which the rest is done.
    forgetting.forget(family, ["family"])
    assert_forgotten(family)


def test_a_table_that_cannot_be_read_is_named_before_anything_changes(family):
    (path,) = (family.listens / "family").glob("artists.parquet")
    path.write_bytes(path.read_bytes()[:4] + bytes(40) + path.read_bytes()[44:])
    with pytest.raises(ArtifactError, match=r"artists.parquet cannot be read: .* `crossfade forget`"):
        forgetting.forget(family, users=["annika"])
    assert pending(family) is None


def test_who_was_given_as_the_listener_is_forgotten_without_a_row(home, tmp_path):
    (tmp_path / "list.m3u").write_text("#EXTM3U\n#EXTINF:200,Can - Vitamin C\nCan/Vitamin C.mp3\n")
    import_paths(home, [tmp_path / "list.m3u"], user="annika")
    assert traces(home, "annika")
    result = CliRunner().invoke(crossfade, ["forget", "anika", "--home", str(home.path)])
    assert (result.exit_code, "Did you mean annika?" in result.output) == (5, True)
    assert CliRunner().invoke(crossfade, ["forget", "annika", "--home", str(home.path)]).exit_code == 0
    assert_forgotten(home)


def test_every_table_that_names_people_is_searched():
    """A new table, or a new column of users, has to be added to what forgetting looks at."""
    assert {
        table: columns
        for table, schema in TABLES.items()
        if (columns := tuple(name for name in schema.names if name in ("user_id", "friend_id", "owner")))
    } == library.PEOPLE
    assert JUDGED.keys() == TABLES.keys()


def test_what_arrived_over_http_is_learned_and_what_is_deleted_there_is_forgotten(home, tmp_path):
    (tmp_path / "bob.csv").write_text(rows("bob", "Can", "Neu", "Faust"))
    import_paths(home, [tmp_path / "bob.csv"])
    run(home, UNWATCHED)
    with contextlib.closing(open_live(home)) as live:
        live.add_user("annika")
        for place, artist in enumerate(["Can", "Neu", "Zyzzyva Ensemble"] * 3):
            track = Track(title="Quixotic Song", artist=artist)
            live.add_listens([Listen(user="annika", listened_at=1_701_000_000_000 + place * 400_000, track=track)])
        run(home, UNWATCHED)
        version, users = served(home)
        assert users == ["annika", "bob"]
        assert traces(home, "zyzzyva")
        with open_releases(home).open() as release:
            tastes = Tastes(OpenRelease(release), live)
            assert tastes.of("annika", at=0).counts == {}  # the release has learned all of it
            rules = tastes.weighing("artist").settings
            assert rules.half_life_days == 90
        with pytest.raises(InputError, match="arrived over HTTP"):
            forgetting.forget(home, ["live"], watch=UNWATCHED)
        live.delete_listens("annika", Which(artist="Zyzzyva Ensemble"))
        result = run(home, UNWATCHED)
        assert result.published
        assert served(home) == (result.release, ["annika", "bob"])
        assert not traces(home, "zyzzyva")
        assert version not in open_releases(home).versions()
        live.remove_user("annika")
        run(home, UNWATCHED)
    assert_forgotten(home)
    assert served(home)[1] == ["bob"]
