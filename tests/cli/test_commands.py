"""Every command on a real, small library: what it prints, and its exit code."""

import fcntl
import json
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner

from crossfade.cli import crossfade
from crossfade.cli.doctor import EXTRAS
from crossfade.core.errors import MissingExtraError, NotReadyError
from crossfade.core.home import Home
from crossfade.stores.live import Listen, Track
from crossfade.stores.registry import open_releases


def test_related_by_name_and_by_id_are_the_same_list(asked):
    popular = asked("popular")["entries"]
    artist = popular[0].get("parent") or popular[0]
    by_id = asked("related", artist["id"])
    by_name = asked("related", artist["name"].upper())
    assert by_id == by_name
    assert by_id["key"] == artist["id"]
    assert artist["id"] not in [entry["id"] for entry in by_id["entries"]]
    scores = [entry["score"] for entry in by_id["entries"]]
    assert scores
    assert scores == sorted(scores, reverse=True)


def test_discover_gives_a_reason_for_everything_it_shows(asked, demo_home):
    with open_releases(Home(demo_home)).open() as release:
        users = release.tables.users(limit=5)
    shown = [entry for user in users for entry in asked("discover", user)["entries"]]
    assert shown
    for entry in shown:
        assert entry["reason"]["plays"] >= 1
        assert entry["reason"]["name"]


def test_a_station_is_drawn_from_the_radio_without_repeats_and_with_artists_apart(asked):
    track = asked("popular", "--limit", "1")["entries"][0]["id"]
    pool = {entry["id"] for entry in asked("radio", track, "--limit", "1000")["entries"]}
    station = asked("radio", track, "--station", "7", "--limit", "1000")["entries"]
    ids = [entry["id"] for entry in station]
    assert len(ids) == len(set(ids)) > 10
    assert set(ids) <= pool
    artists = [entry["parent"]["id"] for entry in station]
    for place, artist in enumerate(artists):
        assert artist not in artists[max(0, place - 3) : place]
    assert asked("radio", track, "--station", "7", "--limit", "1000")["entries"] == station
    assert asked("radio", track, "--station", "8", "--limit", "1000")["entries"] != station


def test_stations_are_drawn_and_served_as_the_settings_say(asked, call, own_home, monkeypatch):
    track = asked("popular", "--limit", "1")["entries"][0]["id"]
    (own_home / "crossfade.toml").write_text("[station]\ntemperature = 0.01\napart = 1\n")
    pool = [entry["id"] for entry in asked("radio", track, "--limit", "1000", home=own_home)["entries"]]
    station = asked("radio", track, "--station", "7", "--limit", "1000", home=own_home)["entries"]
    assert {entry["id"] for entry in station} == set(pool)
    artists = [entry["parent"]["id"] for entry in station]
    assert any(one == following for one, following in pairwise(artists))
    given = {}
    monkeypatch.setattr("crossfade.serve.server.serve", lambda opened, settings, **options: given.update(options))
    assert call("serve", home=own_home).exit_code == 0
    assert given["station"].temperature == 0.01


def test_somebody_new_gets_what_is_popular_and_is_told_so(call, asked):
    answer = asked("discover", "nobody-has-this-name")
    assert (answer["surface"], answer["key"]) == ("popular", "*")
    assert answer["note"].startswith("No recommendations for 'nobody-has-this-name' yet.")
    assert answer["entries"] == asked("popular")["entries"]


def test_a_pipe_gets_one_line_an_entry(call, asked):
    lines = call("popular", "--limit", "5").stdout.splitlines()
    entries = asked("popular", "--limit", "5")["entries"]
    assert [line.split("\t")[1] for line in lines] == [entry["name"] for entry in entries]
    assert [line.split("\t")[-1] for line in lines] == [entry["id"] for entry in entries]


def test_search_finds_by_a_part_of_a_name_in_any_case(asked):
    popular = asked("popular", "--limit", "1")["entries"][0]
    artist = (popular.get("parent") or popular)["name"]
    found = asked("search", artist[: max(4, len(artist) - 2)].upper())
    assert artist in [one["name"] for one in found["items"]["artist"]]


def test_a_misspelt_name_is_suggested_and_ends_with_5(call, asked):
    popular = asked("popular", "--limit", "1")["entries"][0]
    artist = (popular.get("parent") or popular)["name"]
    refused = call("related", artist[:-1] + "qq")
    assert refused.exit_code == 5
    assert artist in refused.stderr


def test_status_adds_up_with_the_import(asked):
    status = asked("status")
    listed = status["imports"][0]
    assert listed["import"] == "demo"
    assert listed["plays"] > 0
    assert listed["dropped"] > 0
    assert status["release"] == asked("releases")[-1]["version"]


def test_a_second_run_changes_nothing(asked, own_home):
    before = asked("status", home=own_home)["release"]
    again = asked("run", home=own_home)
    assert not any(step["built"] for step in again["steps"])
    assert (again["release"], again["published"]) == (before, False)


def test_a_dry_run_says_what_a_changed_setting_touches(call, asked, own_home):
    (own_home / "crossfade.toml").write_text("[surfaces.related]\nsize = 7\n")
    would = {step["step"]: step["runs_because"] for step in asked("run", "--dry-run", home=own_home)}
    assert would["surface-related-artist"] == "size changed from 20 to 7"
    assert would["catalog"] is None
    assert would["als-artist"] is None
    assert would["surface-popular-track"] is None
    assert call("run", home=own_home).exit_code == 0
    artist = asked("popular", home=own_home)["entries"][0]
    related = asked("related", (artist.get("parent") or artist)["id"], home=own_home)
    assert len(related["entries"]) <= 7


def test_results_that_are_no_longer_needed_are_let_go(asked, own_home):
    (own_home / "crossfade.toml").write_text("[surfaces.related]\nsize = 7\n")
    before = {place.name for place in (own_home / "runs" / "surface-related-artist").iterdir()}
    assert asked("run", home=own_home)["published"]
    steps = [step for step in (own_home / "runs").iterdir() if step.is_dir()]
    assert all(len(list(step.iterdir())) == 1 for step in steps)
    noted = [json.loads(line) for line in (own_home / "runs" / "journal.jsonl").read_text().splitlines() if line]
    assert sorted(line["step"] for line in noted) == sorted(step.name for step in steps)
    assert all(line["seconds"] > 0 for line in noted)
    assert not before & {place.name for place in (own_home / "runs" / "surface-related-artist").iterdir()}
    assert not any(step["built"] for step in asked("run", home=own_home)["steps"])


def test_how_neighbours_are_searched_does_not_concern_the_models(asked, own_home):
    (own_home / "crossfade.toml").write_text('[index]\nbackend = "exact"\n')
    would = {step["step"]: step["runs_because"] for step in asked("run", "--dry-run", home=own_home)}
    assert would["neighbours-blend-track"] == "index.backend changed from auto to exact"
    assert would["surface-radio-track"] == "neighbours-blend-track changed"
    assert would["als-artist"] is None


@pytest.mark.parametrize("surface", ["related", "radio", "discover"])
def test_the_first_model_asked_by_name_gives_what_was_published(asked, surface):
    asked_for = {
        "related": asked("discover", "ann-1")["entries"][0]["reason"]["id"],
        "radio": asked("popular")["entries"][0]["id"],
        "discover": "ann-1",
    }
    published = asked(surface, asked_for[surface], "-n", "1000")
    assert published["entries"]
    by_name = asked(surface, asked_for[surface], "-n", "1000", "--model", "blend")
    assert by_name.pop("model") == "blend"
    assert by_name == published


def test_a_model_that_was_not_fitted_is_refused_by_name(call):
    told = call("discover", "ann-1", "--model", "alz")
    assert told.exit_code == 5
    assert "'alz'" in told.output or '"alz"' in told.output
    assert "als" in told.output


def test_models_tells_what_is_fitted_and_what_it_took(asked):
    told = {one["name"]: one for one in asked("models")}
    assert told["als-track"]["state"] == "fitted"
    assert told["als-track"]["rows"]["items"] > told["als-artist"]["rows"]["items"] > 0
    assert told["als-track"]["seconds"] > 0
    assert told["als-track"]["finished"] > 1_700_000_000


def test_models_tells_what_the_next_run_would_fit(asked, own_home):
    (own_home / "crossfade.toml").write_text("[models.als]\nfactors = 16\n")
    told = {one["name"]: one for one in asked("models", home=own_home)}
    assert told["als-artist"]["state"] == "to do"
    assert "factors changed from 64 to 16" in told["als-artist"]["why"]


@pytest.fixture
def split(tmp_path):
    """Listeners of two tastes; the test file asks each for the one item of their taste that they lack."""
    tastes = (["a", "b", "c", "d"], ["p", "q", "r", "s"])
    train, test = [], []
    for user in range(24):
        taste = tastes[user % 2]
        hidden = taste[user // 2 % 4]
        train.append(" ".join([f"u{user}", *(item for item in taste if item != hidden)]))
        test.append(f"u{user} {hidden}")
    paths = tmp_path / "train.txt", tmp_path / "test.txt"
    for path, lines in zip(paths, (train, test), strict=True):
        path.write_text("\n".join(lines))
    return [f"--train={paths[0]}", f"--test={paths[1]}"]


def evaluated(*arguments):
    return CliRunner().invoke(crossfade, ["evaluate", *arguments])


def test_evaluate_measures_on_what_was_held_out(split):
    told = evaluated(*split, "--model", "als", "--model", "als", "--set", "als.factors=8", "-k", "1", "--json")
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    (model,) = answer["models"]
    assert (answer["users"], answer["items"], answer["train_pairs"], answer["test_pairs"]) == (24, 8, 72, 24)
    assert model["estimates"]["recall@1"]["value"] == 1
    assert model["settings"]["factors"] == 8
    assert model["users_asked"] == 24
    assert model["seconds"] > 0


def test_evaluate_splits_a_library(asked, call, tmp_path):
    page = tmp_path / "report.html"
    options = ["--model", "popularity", "--model", "cooccurrence", "--no-search", "-k", "5"]
    answer = asked("evaluate", *options, "--report", str(page), "--no-curves")
    popularity, cooccurrence = answer["models"]
    assert answer["kind"] == "artist"
    assert answer["split"].startswith("plays from ")
    assert cooccurrence["difference_to_first"]["ndcg@5"]["low"] > 0
    assert popularity["repeats"]["recall@5"]["value"] > 0
    assert answer["pages"]["model"] == "cooccurrence"
    assert answer["pages"]["cost"]["recall@5"]["value"] != 0
    assert "cooccurrence" in page.read_text()
    weak = call("evaluate", *options, "--kind", "track", "--split", "weak", "--no-pages")
    assert weak.exit_code == 0, weak.output
    assert [line.split("\t")[0] for line in weak.stdout.splitlines()] == ["popularity", "cooccurrence"]
    assert "20% of each user's items hidden" in weak.stderr


def test_evaluate_fits_the_models_of_the_settings(asked, own_home):
    chosen = '[run]\nmodels = ["cultural", "popularity"]\n[models.cultural]\nfactors = 9\n'
    (own_home / "crossfade.toml").write_text(chosen)
    (own_home / "tuned.toml").write_text("[cultural-artist]\nterms = 77\n")  # tuning saw what is hidden here
    answer = asked("evaluate", "--no-search", "--set", "popularity.half_life_days=7", home=own_home)
    assert [(one["model"], one["settings"].get("factors")) for one in answer["models"]] == [
        ("cultural", 9),
        ("popularity", None),
    ]
    assert answer["models"][0]["settings"]["terms"] == 1000
    assert answer["models"][1]["settings"]["half_life_days"] == 7
    kept = json.loads((own_home / "evaluation.json").read_text())
    assert kept.pop("finished") > 1_700_000_000_000
    assert kept == answer  # the web page shows what was printed


def test_evaluate_takes_both_files_or_none(split):
    refused = evaluated(split[0])
    assert refused.exit_code == 2
    assert "--train and --test go together" in refused.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "alz"], "alz"),
        (["--model", "als", "--set", "als.factor=8"], "factors"),
        (["--model", "als", "--set", "als.factors=many"], "als: factors"),
        (["--model", "als", "--set", "factors=8"], "NAME.SETTING=VALUE"),
        (["--model", "als", "--set", "popularity.half_life=8"], "popularity"),
        (["--split", "weak"], "for a library"),
        (["--report", "no/such/page.html"], "no directory"),
    ],
)
def test_evaluate_says_what_it_cannot_do(split, arguments, told):
    result = evaluated(*split, *arguments)
    assert result.exit_code != 0
    assert told in f"{result.output}{result.exception}"


@pytest.fixture
def two_releases(asked, own_home):
    """(the older one, the newer one, which is served)"""
    first = asked("status", home=own_home)["release"]
    (own_home / "crossfade.toml").write_text("[surfaces.related]\nsize = 7\n")
    second = asked("run", home=own_home)
    assert (second["published"], second["active"]) == (True, True)
    return first, second["release"]


def served(asked, home):
    status = asked("status", home=home)
    assert [one["version"] for one in asked("releases", home=home) if one["active"]] == [status["release"]]
    return status["release"], status["pinned"]


@pytest.mark.parametrize("command", [["rollback"], ["rollback", "0"], ["releases", "activate", "0"]])
def test_an_earlier_release_is_served_and_pinned(call, asked, own_home, two_releases, command):
    first, _ = two_releases
    result = call(*(first if part == "0" else part for part in command), home=own_home)
    assert result.exit_code == 0
    assert first in result.stderr
    assert "crossfade releases unpin" in result.stderr
    assert served(asked, own_home) == (first, True)
    assert "* pinned\t" + first in call("releases", home=own_home).stdout


def test_a_run_under_a_pin_publishes_without_serving_and_says_so(call, asked, own_home, two_releases):
    first, _ = two_releases
    call("rollback", home=own_home)
    (own_home / "crossfade.toml").write_text("[surfaces.related]\nsize = 6\n")
    told = call("run", home=own_home)
    assert told.exit_code == 0
    assert "It is not served" in told.stderr
    assert served(asked, own_home) == (first, True)
    third = asked("releases", home=own_home)[-1]["version"]
    assert third in told.stderr
    assert call("releases", "unpin", home=own_home).exit_code == 0
    assert served(asked, own_home) == (third, False)


def test_a_release_that_does_not_exist_is_not_activated(call, own_home, two_releases):
    refused = call("releases", "activate", "000099-000000000000", home=own_home)
    assert refused.exit_code == 7
    assert two_releases[0] in refused.stderr


def test_a_home_that_is_given_to_a_group_is_that_of_its_command(own_home, two_releases, asked):
    result = CliRunner().invoke(crossfade, ["releases", "--home", str(own_home), "activate", two_releases[0]])
    assert result.exit_code == 0, result.output
    assert served(asked, own_home) == (two_releases[0], True)


def test_verify_names_what_is_damaged_and_ends_with_7(call, asked, own_home):
    assert call("verify", home=own_home).exit_code == 0
    (database,) = (own_home / "releases").rglob("*.sqlite")
    content = bytearray(database.read_bytes())
    content[len(content) // 2] ^= 1
    database.chmod(0o600)
    database.write_bytes(content)
    refused = call("verify", home=own_home)
    assert refused.exit_code == 7
    assert str(database) in refused.stdout


def test_an_empty_home_says_what_to_do_first(call, tmp_path):
    for command in (["run"], ["related", "x"], ["popular"], ["rollback"]):
        refused = call(*command, home=tmp_path / "empty")
        assert refused.exit_code == 6, refused.output
        assert "crossfade " in refused.stderr


def test_a_setting_that_does_not_exist_ends_with_3(call, own_home):
    (own_home / "crossfade.toml").write_text("[models.als]\nfactor = 16\n")
    refused = call("run", home=own_home)
    assert refused.exit_code == 3
    assert "Did you mean 'factors'?" in refused.stderr


def test_a_file_of_no_known_format_ends_with_4(call, tmp_path):
    strange = tmp_path / "strange.bin"
    strange.write_bytes(bytes(range(256)) * 100)
    refused = call("import", str(strange), home=tmp_path / "home")
    assert refused.exit_code == 4
    assert "strange.bin" in refused.stderr


def test_a_second_writer_stops_with_8_and_is_told_who_is_there(call, own_home):
    with (own_home / ".lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write("`crossfade run` (process 4711)")
        lock.flush()
        refused = call("run", home=own_home)
    assert refused.exit_code == 8
    assert "process 4711" in refused.stderr


def test_a_missing_extra_ends_with_10(call, monkeypatch):
    def missing(*arguments, **options):
        raise MissingExtraError("`crossfade serve`", extra="serve")

    monkeypatch.setattr("crossfade.serve.server.serve", missing)
    refused = call("serve")
    assert refused.exit_code == 10
    assert "pip install 'crossfade[serve]'" in refused.stderr


def test_a_usage_error_ends_with_2(call):
    assert call("related").exit_code == 2
    assert call("popular", "--limit", "0").exit_code == 2


def test_config_shows_what_is_in_force(call, asked, own_home):
    (own_home / "crossfade.toml").write_text("[models.als]\nfactors = 48\n")
    assert asked("config", "show", "models.als", home=own_home)["models.als"]["factors"] == 48
    assert "models.als.factors\t48\t64\t8 to 2048\t" in call("config", "show", home=own_home).stdout
    assert call("config", "show", "nonsense", home=own_home).exit_code == 3


def test_the_doctor_finds_a_good_home_well_and_a_bad_setting_bad(call, asked, own_home):
    findings = asked("doctor", home=own_home)
    assert {finding["state"] for finding in findings} <= {"ok", "note"}
    assert {finding["subject"] for finding in findings} >= {f"extra {extra}" for extra in EXTRAS}
    (own_home / "crossfade.toml").write_text("[models.als]\nfactors = 'many'\n")
    refused = call("doctor", home=own_home)
    assert refused.exit_code == 1
    assert "factors must be a whole number" in refused.stdout
    assert "Failed checks: settings" in refused.stderr


def test_a_home_is_for_its_owner_alone(demo_home):
    """Whatever wrote a file: Arrow, DuckDB, SQLite, NumPy or we."""
    opened = [path for path in (demo_home, *demo_home.rglob("*")) if path.stat().st_mode & 0o077]
    assert not opened


def test_the_doctor_finds_a_home_that_others_can_read(call, asked, own_home):
    def privacy():
        (finding,) = (one for one in asked("doctor", home=own_home) if one["subject"] == "privacy")
        return finding

    assert privacy()["state"] == "ok"
    for path in (own_home, own_home / "listens", own_home / "releases" / "CURRENT"):
        path.chmod(path.stat().st_mode | 0o044)
    assert privacy()["state"] == "note"
    # What is in `releases` is out of reach, since nobody else can enter that.
    assert " 2 files and directories" in privacy()["found"]
    subprocess.run(privacy()["what_to_do"], shell=True, check=True)
    assert privacy()["state"] == "ok"


def test_the_doctor_knows_every_extra_of_the_package():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    extras = {name: " ".join(needs) for name, needs in project["optional-dependencies"].items() if name != "all"}
    assert EXTRAS.keys() == extras.keys()
    for name, (module, _) in EXTRAS.items():
        assert module in extras[name]


def test_an_interruption_ends_with_130(call, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("crossfade.pipeline.run.run", interrupted)
    ended = call("run")
    assert ended.exit_code == 130
    assert "goes on from there" in ended.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell):
    shown = CliRunner().invoke(crossfade, ["completion", shell])
    assert shown.exit_code == 0
    assert "_CROSSFADE_COMPLETE" in shown.output


def test_names_are_completed_from_the_release(asked, demo_home):
    popular = asked("popular", "--limit", "1")["entries"][0]
    artist = (popular.get("parent") or popular)["name"]
    begun = artist.split()[0][:5]
    request = {"_CROSSFADE_COMPLETE": "fish_complete", "COMP_WORDS": f"crossfade related {begun}", "COMP_CWORD": begun}
    completed = CliRunner().invoke(crossfade, env={**request, "CROSSFADE_HOME": str(demo_home)})
    assert f"plain,{artist}" in completed.stdout.splitlines()


def test_only_names_that_the_command_accepts_are_completed(asked, call, demo_home):
    for command, kind in (("related", "artist"), ("radio", "track"), ("search", None)):
        request = {"_CROSSFADE_COMPLETE": "fish_complete", "COMP_WORDS": f"crossfade {command} a", "COMP_CWORD": "a"}
        completed = CliRunner().invoke(crossfade, env={**request, "CROSSFADE_HOME": str(demo_home)})
        names = [line.removeprefix("plain,") for line in completed.stdout.splitlines()]
        assert names
        accepted = asked("search", "a", *(["--kind", kind] if kind else []))["items"]
        assert {*names} <= {item["name"] for items in accepted.values() for item in items}


def test_a_reader_that_goes_away_is_no_error(demo_home):
    shown = subprocess.run(
        f"{sys.executable} -m crossfade popular --json --home {demo_home} | head -c 1",
        shell=True,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (shown.stdout, shown.stderr) == ("{", "")


def test_columns_can_be_named(call, asked, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("who,band,often\nann,Can,3\nben,Neu!,2\n")
    home = tmp_path / "home"
    named = ["--column", "user=who", "--column", "artist=band", "--column", "plays=often"]
    assert asked("import", str(table), *named, home=home)[0]["counts"] == 2
    assert call("import", str(table), "--column", "user", home=home).exit_code == 2
    assert call("import", str(table), "--column", "nonsense=who", home=home).exit_code == 3
    assert call("import", "spotify", str(table), *named, home=home).exit_code == 3


def test_a_bad_file_among_good_ones_costs_itself_and_ends_with_4(call, asked, tmp_path):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("user,artist,plays\nann,Can,3\n")
    bad.write_text("")
    home = tmp_path / "home"
    refused = call("import", str(bad), str(good), home=home)
    assert refused.exit_code == 4
    assert "bad.csv" in refused.stderr
    assert [one["counts"] for one in asked("status", home=home)["imports"]] == [1]


def test_a_forgotten_import_is_gone(call, asked, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("user,artist,plays\nann,Can,3\n")
    home = tmp_path / "home"
    name = asked("import", str(table), home=home)[0]["name"]
    assert call("forget", name, home=home).exit_code == 0
    assert asked("status", home=home)["imports"] == []
    assert call("forget", name, home=home).exit_code == 5


def test_who_is_to_be_forgotten_has_to_be_clear(call, asked, tmp_path):
    home = tmp_path / "home"
    for name, user in (("ann", "ann"), ("ben-history", "ben")):
        table = tmp_path / f"{name}.csv"
        table.write_text(f"user,artist,plays\n{user},Can,3\n")
        asked("import", str(table), home=home)
    both = call("forget", "ann", home=home)
    assert both.exit_code == 2
    assert "--import ann or --user ann" in both.stderr
    unknown = call("forget", "bne", home=home)
    assert unknown.exit_code == 5
    assert "Did you mean ben?" in unknown.stderr
    assert call("forget", "--import", "ben", home=home).exit_code == 5
    assert call("forget", "--user", "ben-history", home=home).exit_code == 5
    assert call("forget", home=home).exit_code == 2
    would = call("forget", "ben", "--dry-run", home=home)
    assert would.exit_code == 0, would.output
    assert "Would remove import ben-history: 1 artists, 1 counts" in would.stdout
    assert [one["import"] for one in asked("status", home=home)["imports"]] == ["ann", "ben-history"]
    done = asked("forget", "ben", home=home)
    assert [(one["name"], one["deleted"]) for one in done["imports"]] == [("ben-history", True)]
    assert (done["served"], done["run"], done["mentioned"]) == (False, None, {"ben": []})
    assert call("forget", "--user", "ann", home=home).exit_code == 0
    assert asked("status", home=home)["imports"] == []


def test_a_forgotten_listener_is_in_no_release(call, asked, own_home):
    user = asked("users", "--all", home=own_home)["users"][0]["user"]
    told = call("forget", user, "--no-run", home=own_home)
    assert told.exit_code == 0, told.output
    assert "Removed release 00000" in told.stdout
    assert "Nothing is served now" in told.stderr
    assert user not in {one["user"] for one in asked("users", "--all", home=own_home)["users"]}


def test_an_import_of_the_same_file_twice_adds_nothing(call, asked, tmp_path):
    history = tmp_path / "StreamingHistory0.json"
    rows = [
        {"endTime": f"2024-03-0{day} 10:00", "artistName": "Someone", "trackName": f"Song {day}", "msPlayed": 200_000}
        for day in range(1, 6)
    ]
    history.write_text(json.dumps(rows))
    home = tmp_path / "home"
    first = asked("import", str(history), home=home)[0]
    assert (first["read"], first["plays"], first["dropped"]) == (5, 5, {})
    again = asked("import", "spotify", str(history), home=home)[0]
    assert (again["read"], again["plays"], again["dropped"]) == (5, 0, {"duplicate": 5})
    assert len(asked("status", home=home)["imports"]) == 1


def test_the_demo_has_a_home_of_its_own_and_names_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("CROSSFADE_HOME", raising=False)
    monkeypatch.setattr("crossfade.cli.library._run", lambda *arguments, **options: None)
    monkeypatch.setattr("crossfade.cli.library._show_demo", lambda home: ["related 'The Low'"])
    made = CliRunner().invoke(crossfade, ["demo", "--listeners", "10", "--artists", "10"])
    assert made.exit_code == 0, made.output
    assert [place.name for place in tmp_path.iterdir()] == ["crossfade-demo"]
    assert f"crossfade related 'The Low' --home {tmp_path / 'crossfade-demo'}" in made.stderr


def test_invented_and_real_listeners_never_share_a_home(call, asked, own_home, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("user,artist,plays\nann,Can,3\n")
    refused = call("import", str(table), home=own_home)
    assert (refused.exit_code, "crossfade forget --import demo" in refused.stderr) == (4, True)
    assert [one["import"] for one in asked("status", home=own_home)["imports"]] == ["demo"]
    home = tmp_path / "home"
    assert call("import", str(table), home=home).exit_code == 0
    refused = call("demo", "--listeners", "10", "--artists", "10", home=home)
    assert refused.exit_code == 4
    assert "real listening history (table)" in refused.stderr
    assert [one["import"] for one in asked("status", home=home)["imports"]] == ["table"]


def test_users_lists_ones_own_listeners_and_counts_the_others(call, asked, tmp_path):
    home = tmp_path / "home"
    history, table = tmp_path / "lastfm.csv", tmp_path / "set.csv"
    history.write_text('Can,,Vitamin C,"01 Mar 2024, 12:00"\nCan,,Halleluhwah,"02 Mar 2024, 12:00"\n')
    table.write_text("user,artist,plays\nx,Can,3\ny,Can,4\n")
    assert call("users", home=home).exit_code == 0
    assert "There is no listener of your own" in call("users", home=home).stderr
    assert call("discover", home=home).exit_code == 5
    assert call("import", "lastfm-csv", str(history), "--user", "ann", home=home).exit_code == 0
    assert call("import", str(table), home=home).exit_code == 0
    told = call("users", home=home)
    assert told.stdout == "ann\t2\t2024-03-01T12:00:00Z\t2024-03-02T12:00:00Z\tlastfm\n"
    assert "2 more listeners in set" in told.stderr
    assert [one["user"] for one in asked("users", "--all", home=home)["users"]] == ["ann", "x", "y"]
    assert asked("users", home=home)["data_sets"] == {"set": 2}
    assert call("discover", home=home).exit_code == 6  # there is no release yet


def test_discover_alone_means_the_only_listener_of_ones_own(call, asked, monkeypatch):
    monkeypatch.setattr("crossfade.importing.people.own_listeners", lambda home: ["ann-1"])
    assert asked("discover") == asked("discover", "ann-1")
    monkeypatch.setattr("crossfade.importing.people.own_listeners", lambda home: ["ann", "bob"])
    refused = call("discover")
    assert refused.exit_code == 5
    assert "There are: ann, bob." in refused.stderr


def test_why_answers_about_every_item_of_a_page(asked, call):
    for rank, entry in enumerate(asked("discover", "ann-1")["entries"][:3], start=1):
        answer = asked("why", "ann-1", entry["id"])
        assert (answer["outcome"], answer["place"], answer["reason"]) == ("shown", rank, entry["reason"])
        assert answer["reason"]["id"] in [one["id"] for one in answer["evidence"]]
        shown = call("why", "ann-1", entry["id"])
        assert entry["reason"]["text"] in shown.output
        assert "popularity" in shown.stdout


def test_why_answers_about_the_page_as_it_is_now(small_library, asked, call):
    home, _, live = small_library("artist and track")
    live.add_user("new")
    plays = [
        Listen(user="new", listened_at=1_700_000_000_000 + row, track=Track(artist=f"Item a{row:02d}", title="x"))
        for row in (2, 6, 10, 14)
    ]
    live.add_listens(plays)
    answer = asked("why", "new", "Item a18", "--kind", "artist", "--now", home=home.path)
    assert (answer["outcome"], answer["reason"]["text"][:23]) == ("shown", "Because you play Item a")
    assert "There is no user" in call("why", "new", "Item a18", "--kind", "artist", home=home.path).stderr


def test_why_answers_about_what_is_not_shown(asked, call):
    played = asked("discover", "ann-1")["entries"][0]["reason"]
    answer = asked("why", "ann-1", played["name"], "--kind", "artist")
    assert (answer["outcome"], answer["item"]["id"]) == ("played", played["id"])
    assert "place" not in answer
    assert "in your history already" in call("why", "ann-1", played["id"], "--kind", "artist").output
    by_another = asked("why", "ann-1", played["id"], "--kind", "artist", "--model", "cooccurrence")
    assert by_another["model"] == "cooccurrence"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ann-1", "no such artist at all"), "There is no"),
        (("nobody", "x"), "There is no user 'nobody'"),
        (("a", "b", "c"), "Name a user and an item"),
    ],
)
def test_why_says_what_it_does_not_know(call, words, message):
    result = call("why", *words)
    assert result.exit_code != 0
    assert message in result.output


def test_tune_says_what_is_better_and_how_to_evaluate_it(tmp_path, monkeypatch):
    pytest.importorskip("optuna", reason="crossfade tune needs Optuna")
    monkeypatch.setattr("crossfade.evaluate.tuning.ndcg_of", lambda name, settings, *_: settings["shrinkage"] / 100)
    train = tmp_path / "train.txt"
    train.write_text(
        "\n".join(f"u{user} " + " ".join(f"i{(user + item) % 9}" for item in range(6)) for user in range(9))
    )
    arguments = [
        "tune",
        "--train",
        str(train),
        "--model",
        "cooccurrence",
        "--trials",
        "3",
        "--home",
        str(tmp_path / "h"),
    ]
    told = CliRunner().invoke(crossfade, [*arguments, "--json"])
    assert told.exit_code == 0, told.output
    (tuned,) = json.loads(told.stdout)
    assert (tuned["model"], len(tuned["trials"])) == ("cooccurrence", 3)
    assert (tmp_path / "h" / "tuning" / "train-cooccurrence.svg").read_text().startswith("<svg")
    shown = CliRunner().invoke(crossfade, arguments)
    assert ("--set cooccurrence.shrinkage=" in shown.output) == bool(tuned["settings"])
    refused = CliRunner().invoke(crossfade, ["tune", "--home", str(tmp_path / "none")])
    assert refused.exit_code == NotReadyError.exit_code, refused.output


def test_a_command_ends_without_a_word_of_its_libraries():
    """DuckDB complains of all that Python does not free at the end."""
    code = "import duckdb, sys; from crossfade.cli import main; sys.argv[1:] = ['--version']; main()"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
