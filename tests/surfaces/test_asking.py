"""An open release: what its tables have, and the same lists computed with any of its models for one key."""

import dataclasses
import threading

import numpy as np
import pytest

from crossfade.core.artifacts import Identity, writing
from crossfade.core.catalogue import Catalogue, Items
from crossfade.core.errors import NotReadyError, UnknownIdError
from crossfade.core.home import Home
from crossfade.core.ids import Ids
from crossfade.core.tables import EVERYONE
from crossfade.core.texts import Texts
from crossfade.core.writings import SOURCES, Writings
from crossfade.models.als import ALS
from crossfade.models.cooccurrence import Cooccurrence
from crossfade.models.cultural import Cultural
from crossfade.models.ease import EASE
from crossfade.models.popularity import Popularity
from crossfade.ranking.neighbourhood import Neighbourhood
from crossfade.stores.registry import open_releases
from crossfade.surfaces import asking
from crossfade.surfaces.asking import OpenRelease
from crossfade.surfaces.contract import SurfaceInputs, build_table
from crossfade.surfaces.registry import SURFACES

MODELS = {"popularity": Popularity(), "als": ALS(factors=8, iterations=3), "cooccurrence": Cooccurrence()}
SETTINGS = {
    "run": {"models": [*MODELS, "cultural", "ease"]},
    "surfaces.discover": {"size": 7, "familiar": 3, "taste_candidates": 4, "related": 3},
}
UNPLAYED = "a99"


def written_about(ids):
    """Tags of the genre of each artist, and of one whom nobody has played."""
    genres = ["doom metal", "acid jazz", "dub techno", "chamber folk"]
    about = [(row, word) for row, name in enumerate(ids) for word in genres[int(name[1:]) % 4].split()]
    return Writings(
        kind="artist",
        item_ids=ids,
        names=Texts.of(list(ids)),
        sources=np.full(len(about), SOURCES.index("tag"), np.uint8),
        items=np.array([row for row, _ in about], np.int32),
        counts=np.full(len(about), 5),
        texts=Texts.of([word for _, word in about]),
    )


@pytest.fixture
def library(surface_inputs):
    """Artists and tracks, all models of them, and an artist with tags whom nobody has played."""
    inputs = surface_inputs("artist and track")
    artists, tracks = inputs.catalogue["artist"], inputs.catalogue["track"]
    ids = Ids.of([*artists.ids, UNPLAYED])
    more = Items(
        kind="artist",
        ids=ids,
        names=[*artists.names, "The Unheard"],
        listeners=np.append(artists.listeners, 0),
        plays=np.append(artists.plays, 0),
        fields={},
    )
    models = {
        kind: {name: model.fit(played) for name, model in MODELS.items()}
        for kind, played in inputs.interactions.items()
    }
    models["track"]["ease"] = EASE().fit(inputs.interactions["track"])
    models["artist"]["cultural"] = Cultural(factors=8).fit(written_about(ids))
    return dataclasses.replace(inputs, catalogue=Catalogue([more, tracks])), models


def leading(library, model):
    """The inputs with ``model`` in front, worked out apart from the code: als compares, popularity does not."""
    inputs, models = library
    chosen = {kind: fitted.get(model, fitted["als"]) for kind, fitted in models.items()}
    comparing = {kind: fitted["als"] if model == "popularity" else chosen[kind] for kind, fitted in models.items()}
    return SurfaceInputs(
        catalogue=inputs.catalogue,
        interactions=inputs.interactions,
        models={kind: [fitted] for kind, fitted in chosen.items()},
        neighbourhoods={kind: Neighbourhood.build(fitted) for kind, fitted in comparing.items()},
    )


def tables_of(inputs, names=None):
    tables = {}
    for name, line in SURFACES.items():
        surface = line.load()
        settings = surface.settings_class(**SETTINGS.get(f"surfaces.{name}", {}))
        for listing in surface.listings(inputs.library):
            if names is None or listing.name in names:
                tables[listing.name] = build_table(surface.prepare(inputs, listing, settings), listing)
    return tables


@pytest.fixture
def release(library, tmp_path):
    inputs, models = library
    parts = {"catalogue": inputs.catalogue}
    parts |= {f"interactions-{kind}": played for kind, played in inputs.interactions.items()}
    for kind, fitted in models.items():
        for name, model in fitted.items():
            parts[f"{name}-{kind}"] = model
            if (name, kind) == ("als", "artist"):  # as in a run: other items are compared when they are asked for
                parts[f"neighbours-{name}-{kind}"] = Neighbourhood.build(model)
    for name, part in parts.items():
        with writing(tmp_path / "parts" / name, Identity(kind="part", version=1)) as draft:
            part.save(draft.path)
    home = Home(tmp_path / "home")
    home.prepare()
    releases = open_releases(home)
    tables = tables_of(leading(library, "als"))
    places = {name: tmp_path / "parts" / name for name in parts}
    releases.publish(list(tables.values()), inputs.catalogue, parts=places, inputs={"a": "b"}, settings=SETTINGS)
    with releases.open() as opened:
        yield opened


@pytest.fixture
def opened(release):
    return OpenRelease(release)


def test_the_models_are_those_of_the_release_in_their_order(opened):
    assert opened.models == ["popularity", "als", "cooccurrence", "cultural", "ease"]


@pytest.mark.parametrize(("user", "table"), [("set:2", "discover-artist"), ("ann", "discover-track"), ("new", None)])
def test_a_user_without_a_list_of_the_main_kind_has_that_of_another(opened, monkeypatch, user, table):
    lists = {("discover-artist", "set:2"), ("discover-track", "ann"), ("discover-artist", "ann")}
    monkeypatch.setattr(opened.release.tables, "count", lambda table, key: int((table, key) in lists))
    found = opened.table_with("discover", user)
    assert (found and found.name) == table
    assert opened.table_with("discover", "set:2", "track") is None


def test_the_main_kind_is_what_most_users_play_though_all_have_pages_of_it(opened, monkeypatch):
    tables = opened.release.tables.tables
    assert opened.table("discover").kind == "track"
    with monkeypatch.context() as patched:
        patched.setitem(tables, "discover-track", dataclasses.replace(tables["discover-track"], keys=0))
        assert opened.table("discover").kind == "artist"
    monkeypatch.setattr(OpenRelease, "_players", lambda self, kind: {"artist": 100, "track": 1}[kind])
    assert opened.table("discover").kind == "artist"


def test_without_a_model_the_table_is_read(opened, monkeypatch):
    monkeypatch.setattr(OpenRelease, "_prepared", None)
    key = opened.release.tables.users(limit=1)[0]
    assert opened.entries("discover", key) == opened.release.tables.entries("discover-track", key)
    artists = opened.entries("discover", key, kind="artist", limit=3, offset=1)
    assert artists == opened.release.tables.entries("discover-artist", key)[1:4]
    assert opened.entries("popular", EVERYONE, model="als") == opened.entries("popular", EVERYONE)


def test_the_leading_model_computes_what_was_published(opened):
    """The same code with the same settings, names and reasons, for every surface and kind."""
    for name, table in opened.release.tables.tables.items():
        if table.surface != "popular":
            for key in ("u05", "u33", "a03", "a12-1", "a38"):
                try:
                    published = opened.release.tables.entries(name, key)
                except UnknownIdError:
                    continue
                assert opened.entries(table.surface, key, kind=table.kind, model="als") == published
                part = opened.entries(table.surface, key, kind=table.kind, model="als", limit=2, offset=1)
                assert part == published[1:3]


@pytest.mark.parametrize("model", ["cooccurrence", "cultural", "ease", "popularity"])
def test_any_model_can_lead(opened, library, model):
    names = [
        name
        for name, table in opened.release.tables.tables.items()
        if table.kind in library[1]
        and model in library[1][table.kind]
        and (model != "popularity" or table.key == "user")
    ]
    assert len(names) > 1
    for table in tables_of(leading(library, model), names).values():
        if table.surface == "popular":
            continue
        ids = library[0].catalogue[table.kind].ids
        for row in range(0, len(table.keys), 17):
            entries = opened.entries(table.surface, table.keys[row], kind=table.kind, model=model)
            assert [entry.id for entry in entries] == ids.select(table.items[table.of_key(row)])
            assert [entry.score for entry in entries] == pytest.approx(
                table.columns["score"][table.of_key(row)].tolist()
            )


def test_where_a_model_knows_nothing_the_first_that_compares_items_stands_in(opened):
    models = opened._inputs("artist", "ease").models
    assert {kind: [model.name for model in some] for kind, some in models.items()} == {
        "artist": ["als"],
        "track": ["ease"],
    }


def test_an_artist_with_words_but_no_listens_is_related_and_can_be_asked_for(opened):
    """Evidence is the support of the model, and the catalogue has the item: a listen is not needed."""
    related = opened.entries("related", UNPLAYED, model="cultural")
    # a99 has the tags of a03, a07, …, a39.
    assert {int(entry.id[1:]) % 4 for entry in related[:9]} == {3}
    assert UNPLAYED in [entry.id for entry in opened.entries("related", "a03", model="cultural")]
    with pytest.raises(UnknownIdError, match=r"No Related for 'a99' by als"):
        opened.entries("related", UNPLAYED, model="als")
    assert opened.release.tables.item("artist", "The Unheard").listeners == 0


def test_items_are_found_by_words(opened):
    metal = opened.about("Doom!", "artist", 20)
    assert {int(entry.id[1:]) % 4 for entry in metal} == {0}
    assert len(metal) == 10
    assert [entry.id for entry in opened.about("Chamber Folk", "artist", 50)][-1] == UNPLAYED
    assert opened.about("unheard of", "artist", 5) == opened.about("doom", "track", 5) == []


def test_scores_of_a_history_are_the_leading_models(opened, library):
    als, played = library[1]["track"]["als"], library[0].interactions["track"]
    history = played.histories(["u05"])
    ids = [*list(als.item_ids)[:4], "unknown"]
    expected = als.scores(als.profiles(history), np.array([0, 4]), np.arange(4, dtype=np.int32))
    found = opened.scorer(history)(ids)
    assert found[:4] == pytest.approx(expected)
    assert found[4] == found.min()
    assert opened.has_model("als", "track")
    assert not opened.has_model("word2vec", "track")


def test_the_most_popular_children_of_a_parent(opened, library):
    tracks = library[0].catalogue["track"]
    own = [row for row, name in enumerate(tracks.ids) if name.startswith("a03-")]
    expected = sorted(own, key=lambda row: (-tracks.listeners[row], -tracks.plays[row]))[:3]
    children = opened.children("track", "a03", 3)
    assert [one.id for one in children] == tracks.ids.select(expected)
    assert children[0].parent.id == "a03"
    assert opened.children("track", "nobody", 3) == opened.children("artist", "a03", 3) == []


def test_terms_are_asked_by_item(opened):
    assert {term for term, _ in opened.top_terms("artist", UNPLAYED, 5)} == {"chamber", "folk"}
    with pytest.raises(NotReadyError, match="no words about tracks"):
        opened.top_terms("track", "a03-1", 5)
    with pytest.raises(UnknownIdError):
        opened.top_terms("artist", "nobody", 5)


@pytest.mark.parametrize(
    ("question", "error", "message"),
    [
        (("related", "a03", {"model": "word2vec"}), UnknownIdError, "'word2vec' isn't in release .*popularity, als"),
        (("radio", "a03-1", {"model": "cultural"}), NotReadyError, "cultural wasn't fitted on tracks"),
        (("related", "a03", {"model": "popularity"}), NotReadyError, "popularity doesn't compare items"),
        (("related", "nobody", {"model": "als"}), UnknownIdError, "No Related for 'nobody' by als"),
        (("radio", "a03", {"kind": "show"}), NotReadyError, "no Radio of the kind 'show'"),
        (("related", "nobody", {}), UnknownIdError, "nobody"),
    ],
)
def test_what_cannot_be_answered_is_said(opened, question, error, message):
    surface, key, options = question
    with pytest.raises(error, match=message):
        opened.entries(surface, key, **options)


def test_every_part_is_opened_once_by_however_many_threads(opened, monkeypatch):
    loaded = []
    load, prepared = Neighbourhood.load, OpenRelease._prepared
    monkeypatch.setattr(OpenRelease, "_prepared", lambda *some: loaded.append("prepared") or prepared(*some))
    monkeypatch.setattr(
        asking.Neighbourhood, "load", lambda place, model: loaded.append(place.name) or load(place, model)
    )
    answers = []
    ask = lambda: answers.append(opened.entries("discover", "u05", model="als"))  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6
    assert all(answer == answers[0] for answer in answers)
    assert sorted(loaded) == ["neighbours-als-artist", "prepared"]
