"""Related artists are judged by what no model saw, and the judges know a right list from a wrong one."""

from collections import Counter

import numpy as np
import pytest

from benchmarks import agreement
from benchmarks.agreement import DRAWS, NEAR, Judges
from benchmarks.case import run_case
from benchmarks.record import Record
from crossfade.core.ids import MISSING, Ids
from crossfade.core.interactions import Interactions
from crossfade.core.texts import Texts
from crossfade.core.writings import Writings
from crossfade.models.als import ALS
from crossfade.models.cultural import Cultural

USERS, ARTISTS = 100, 60  # of `planted`


@pytest.mark.slow
def test_models_of_crowds_agree_with_both_judges(planted, tmp_path):
    words = ["--data", str(planted), "--models", "als", "cultural", "--places", "5", "--listeners", "3", "--tags", "2"]
    run_case(
        agreement.__doc__,
        agreement.options,
        agreement.measure,
        arguments=[*words, "--threads", "1", "--no-limits", "--output", str(tmp_path / "agreement.json")],
    )
    (comparison,) = Record.read(tmp_path / "agreement.json").comparisons
    assert 50 <= comparison.what["artists"] <= ARTISTS
    for judge in ("tags", "listeners"):
        dice, most = comparison.side("random").figures[judge], comparison.side("the most that there is").figures[judge]
        for name in ("als", "cultural"):
            mean, low, high = comparison.side(name).figures[judge]
            # By dice most of a list is of other crowds, with which nothing is shared.
            assert dice[2] < low <= mean <= high <= most
            assert comparison.side(name).figures[f"{judge}, more than as popular"][1] > 0
    assert comparison.side("random").figures["tags, more than as popular"][2] < 0.1


def test_no_model_learns_from_what_it_is_judged_by(planted, tmp_path, monkeypatch):
    seen = {}

    def watched(model):
        fit = model.fit

        def watching(self, learned, **more):
            seen.setdefault(self.name, []).append(learned)
            return fit(self, learned, **more)

        monkeypatch.setattr(model, "fit", watching)

    def judges(train, test, writings, *least):
        seen["judges"] = train, test, writings
        return agreed(train, test, writings, *least)

    agreed = agreement.judges
    monkeypatch.setattr(agreement, "judges", judges)
    for model in (ALS, Cultural):
        watched(model)
    words = f"--data {planted} --models als cultural --places 5 --listeners 3 --tags 2 --threads 1 --no-limits".split()
    output = ["--output", str(tmp_path / "agreement.json")]
    run_case(agreement.__doc__, agreement.options, agreement.measure, arguments=[*words, *output])
    train, test, judging = seen["judges"]
    whole, cut = seen["als"]
    assert whole is train
    assert set(zip(owners(cut), cut.indices, strict=True)) < set(zip(owners(train), train.indices, strict=True))
    assert train.pairs + test.pairs == USERS * 12
    both = set(zip(owners(train), train.indices, strict=True)) & set(zip(owners(test), test.indices, strict=True))
    assert not both
    rows = [row.split("\t") for row in (planted / agreement.GIVEN).read_text().splitlines()[1:]]
    for taggers, writings in zip(
        agreement.halves(planted, np.random.default_rng(0)), (*seen["cultural"], judging), strict=True
    ):
        expected = Counter((f"hetrec:{artist}", f"sound {tag}") for user, artist, tag, *_ in rows if user in taggers)
        ids = writings.item_ids.select(writings.items)
        assert dict(zip(zip(ids, writings.texts, strict=True), writings.counts.tolist(), strict=True)) == expected


def owners(interactions):
    return np.repeat(np.arange(len(interactions.user_ids)), np.diff(interactions.indptr))


def test_learning_and_judging_halves_share_nobody(planted, tmp_path):
    one, two = agreement.halves(planted, np.random.default_rng(0))
    assert not one & two
    assert one | two == {str(user) for user in range(USERS)}
    folder = agreement.folder_of(planted, one, tmp_path / "half")
    rows = (folder / agreement.GIVEN).read_text().splitlines()
    assert len(rows) == 1 + 8 * len(one)
    assert {row.split("\t")[0] for row in rows[1:]} == one
    assert (folder / "user_artists.dat").read_bytes() == (planted / "user_artists.dat").read_bytes()


def test_asked_is_whoever_is_known_to_the_models_and_to_both_judges():
    def of(*pairs):
        users, artists = zip(*pairs, strict=True)
        users, artists = users_ids.rows(users), artist_ids.rows(artists)
        return Interactions.from_rows(users_ids, artist_ids, users, artists, np.arange(1.0, len(users) + 1))

    users_ids, artist_ids = Ids.of("xyz"), Ids.of("abcde")
    train = of(*zip("xyxyxyxyx", "aabbccdde", strict=True))
    test = of(*zip("zzyzz", "abbde", strict=True))
    texts = ["loud", "calm", "loud", "calm", "loud", "loud"]
    writings = Writings(
        kind="artist",
        item_ids=artist_ids,
        names=Texts.of("abcde"),
        sources=np.zeros(6, dtype=np.uint8),
        items=artist_ids.rows([*"aabcde"]),
        counts=np.array([3, 4, 5, 9, 1, 5]),
        texts=Texts.of(texts),
    )
    asked = agreement.judges(train, test, writings, 2, 5)
    # Nobody has c in test, d has one tag, e one listener.
    assert asked.ids == ["a", "b"]
    assert asked.listeners.tolist() == [2, 2]
    assert asked.alike["tags"][0, 1] == pytest.approx(3 / 5)
    assert asked.alike["listeners"][0, 1] == pytest.approx(1 / np.sqrt(2))


def test_an_empty_place_is_alike_to_nothing():
    alike = np.array([[np.nan, 0.5, 0.25], [0.5, np.nan, 1.0], [0.25, 1.0, np.nan]])
    lists = np.array([[1, 2], [2, MISSING], [MISSING, MISSING]])
    assert agreement.likeness(alike, lists).tolist() == [0.375, 0.5, 0.0]


def test_cosines_are_those_of_the_counts():
    from scipy.sparse import csr_array

    found = agreement.cosines(csr_array(np.array([[3.0, 4.0], [6.0, 8.0], [0.0, 2.0]])))
    assert found == pytest.approx(np.array([[np.nan, 1, 0.8], [1, np.nan, 0.8], [0.8, 0.8, np.nan]]), nan_ok=True)


def test_who_stands_for_a_listed_artist_has_as_many_listeners(rng):
    listeners = rng.permutation(200)
    asked = Judges(rows=np.arange(200), ids=[], listeners=listeners, alike={})
    lists = rng.integers(0, 200, (200, 4))
    lists[0] = MISSING
    drawn = agreement.as_popular(asked, lists, rng)
    assert drawn.shape == (DRAWS, 200, 4)
    assert np.all(drawn[:, 0] == MISSING)
    apart = np.abs(listeners[drawn[:, 1:]] - listeners[lists[1:]])
    # The listeners are the ranks here.
    assert (apart.min(), apart.max()) == (1, NEAR)


def test_lists_without_taste_are_no_more_alike_than_others(rng):
    alike = rng.random((300, 300))
    np.fill_diagonal(alike, np.nan)
    asked = Judges(rows=np.arange(300), ids=[""] * 300, listeners=rng.integers(10, 99, 300), alike={"tags": alike})
    lists = agreement.baselines(asked, 10, rng)
    assert not np.any(lists["random"] == np.arange(300)[:, None])
    assert not np.any(lists["popularity"] == np.arange(300)[:, None])
    low, high = agreement.figures(asked, lists["random"], rng)["tags, more than as popular"][1:]
    assert low < 0 < high
