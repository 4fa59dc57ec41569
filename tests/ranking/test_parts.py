"""The parts of ranking, by hand."""

import time

import numpy as np
import pytest

from crossfade.core.catalogue import Items
from crossfade.core.computed import Computed, row_map
from crossfade.core.csr import CSR
from crossfade.core.ids import MISSING, Ids
from crossfade.core.kinds import KINDS
from crossfade.ranking.aliases import Aliases
from crossfade.ranking.candidates import CLOSENESS, Candidates, popular_children, related_lists
from crossfade.ranking.features import POPULARITY
from crossfade.ranking.lists import Grouping, allowed
from crossfade.ranking.popularity import apart_from_all, evidence, popularity
from crossfade.ranking.reasons import History, recognised_seeds
from crossfade.ranking.scoring import Formula, relative


def rows(*values):
    return np.array(values, dtype=np.int32)


def history(*users):
    """One list of (row, plays) a user."""
    pairs = [pair for user in users for pair in user]
    lengths = [len(user) for user in users]
    return History(np.cumsum([0, *lengths]), rows(*(row for row, _ in pairs)), rows(*(plays for _, plays in pairs)))


def items(names, kind="artist", parents=None, listeners=None, plays=None):
    count = len(names)
    return Items(
        kind=kind,
        ids=Ids.of(f"{row:03d}" for row in range(count)),
        names=names,
        listeners=np.array([1] * count if listeners is None else listeners),
        plays=np.array([1] * count if plays is None else plays),
        parents=None if parents is None else rows(*parents),
        fields={
            field.name: [""] * count if field.type == "text" else np.zeros(count, np.int32)
            for field in KINDS[kind].fields
        },
    )


def groups(names, **options):
    return Aliases(items(names, **options)).groups(np.arange(len(names), dtype=np.int32)).tolist()


def test_evidence_is_half_at_the_shrinkage():
    assert evidence(np.array([0, 5, 15]), 5.0).tolist() == [0, 0.5, 0.75]
    assert evidence(np.array([0, 1]), 0.0).tolist() == [0, 1]


def test_what_is_close_to_everything_counts_half():
    points = np.array([[2, 0], [0, 1], [-1, 0], [0, 0]], dtype=np.float32)
    # The mean is (4, 3) / 7.
    counted = apart_from_all(points, np.array([4, 3, 0, 0]), 4 / 7)
    assert counted.tolist() == pytest.approx([1 / 2, 1 / 1.75, 1, 1])
    assert apart_from_all(points, np.array([4, 3, 0, 0]), 0).tolist() == [1, 1, 1, 1]


def test_popularity_is_one_for_the_most_played_and_zero_for_the_unknown():
    # ln(1 + 3) is half of ln(1 + 15).
    assert popularity(np.array([15, 3, 0])).tolist() == pytest.approx([1, 0.5, 0])
    assert popularity(np.array([0, 0])).tolist() == [0, 0]


def test_what_is_computed_is_computed_once_and_only_where_asked():
    asked = []

    def squares(wanted):
        asked.append(wanted.tolist())
        return wanted * wanted

    computed = Computed(100, squares, np.int32)
    assert computed(rows(7, 3, 7)).tolist() == [49, 9, 49]
    assert computed(rows(3, 4)).tolist() == [9, 16]
    computed.fill(rows(7, 4))
    assert asked == [[3, 7], [4]]


def test_rows_are_translated_by_id():
    some, all_ids = Ids.of("bdx"), Ids.of("abcd")
    assert row_map(some, all_ids)(rows(2, MISSING, 1, 0)).tolist() == [MISSING, MISSING, 3, 1]
    assert row_map(all_ids, some)(np.array([[1, 0], [3, MISSING]], np.int32)).tolist() == [[0, MISSING], [1, MISSING]]
    same = rows(1, 2)
    assert row_map(all_ids, Ids.of("abcd"))(same) is same


def test_many_rows_are_translated_together(monkeypatch):
    source, target = Ids.of(f"{number}ø" for number in range(100)), Ids.of(f"{number}ø" for number in range(0, 300, 3))
    wanted = [target.find(id_) for id_ in source]
    one_by_one = [row_map(source, target)(rows(row)).item() for row in range(100)]
    monkeypatch.setattr(Ids, "select", None)
    assert row_map(source, target)(np.arange(100, dtype=np.int32)).tolist() == one_by_one == wanted
    assert wanted.count(MISSING) == 66


def test_groups_thin_lists_out_from_the_top():
    group_of = np.array([7, 7, 7, 1 << 62, -5, -6])
    lists = np.array([[3, 2, 1, 0, 4, 5], [5, 0, MISSING, 1, 4, 2]], dtype=np.int32)
    one = allowed(lists, rows(4, 0), [Grouping(lambda some: group_of[some], 1, 2)])
    assert one.tolist() == [[1, 1, 0, 0, 1, 1], [1, 1, 0, 1, 1, 0]]


def test_groups_are_counted_whatever_their_numbers(rng):
    """Numbers that meet in the hash table, by a count in plain Python."""
    group_of = rng.integers(0, 5, 60) * (1 << 40) - (rng.random(60) < 0.1) * (1 << 50)
    lists = rng.integers(0, 60, (200, 50)).astype(np.int32)
    keys = rng.integers(0, 60, 200).astype(np.int32)
    kept = allowed(lists, keys, [Grouping(lambda some: group_of[some], 4, 1)])
    for key, listed, keeps in zip(keys, lists, kept, strict=True):
        counts = {}
        for row, keep in zip(listed, keeps, strict=True):
            group = group_of[row]
            most = 1 if group == group_of[key] else 4
            assert keep == (group < 0 or counts.get(group, 0) < most)
            counts[group] = counts.get(group, 0) + keep


def test_what_one_grouping_took_does_not_count_in_the_next():
    versions = Grouping(lambda some: np.array([5, 5, 6])[some], 1, 1)
    parents = Grouping(lambda some: np.array([9, 9, 9])[some], 2, 2)
    assert allowed(rows(0, 1, 2)[None, :], rows(0), [versions, parents]).tolist() == [[True, False, True]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Beyoncé", "BEYONCE"),
        ("The Beatles", "Beatles, The"),
        ("Simon & Garfunkel", "Simon and Garfunkel"),
        ("Guns N' Roses", "Guns N Roses"),
        ("Eminem", "Eminem feat. Rihanna"),
        ("Eminem", "Eminem (Ft. Rihanna)"),
        ("AC/DC", "ACDC"),
        ("Underøath", "Underoath"),
    ],
)
def test_spellings_of_one_artist_are_one(one, other):
    assert len(set(groups([one, other]))) == 1


def test_different_artists_stay_apart():
    named = groups(["The The", "The", "Them", "Feat", "Ftisland", "Кино", "きのこ帝国"])
    # "The The" is "The" without its article; nobody can tell these two by name alone.
    assert named[0] == named[1]
    assert len(set(named[1:])) == 6
    assert min(named) >= 0


def test_names_without_a_letter_are_in_no_group():
    assert groups(["!!!", "???", "!!!"]) == [-1, -2, -3]


@pytest.mark.parametrize("version", ["Song (Live)", "Song - Remastered 2009", "song [Demo]", "Song - Radio EDIT"])
def test_versions_of_one_song_are_one(version):
    assert len(set(groups(["Song", version], kind="track", parents=(3, 3)))) == 1


@pytest.mark.parametrize(
    ("name", "originals"),
    [
        ("Lady GaGa vs. Madonna", ["Lady Gaga", "Madonna"]),
        ("Britney Spears vs Avril Lavigne", ["Britney Spears", "Avril Lavigne"]),
        ("Ana Carolina; Seu Jorge", ["Ana Carolina", "Seu Jorge"]),
        ("Per Gessle; Roxette", ["Per Gessle", "Roxette"]),
        ("Dirty Projectors + Björk", ["Dirty Projectors", "Bjork"]),
        ("Jay-Z and Linkin Park", ["Jay-Z", "Linkin Park"]),
        ("Sarah Brightman & Andrea Bocelli", ["Sarah Brightman", "Andrea Bocelli"]),
        ("Florence + The Machine & Dizzee Rascal", ["Florence + the Machine", "Dizzee Rascal", "Florence", "Machine"]),
        ("The String Quartet Tribute to Radiohead", ["Radiohead"]),
        ("Vitamin String Quartet Tribute to Muse", ["Muse"]),
        ("A Tribute to The Cure", ["The Cure"]),
        ("Lullaby Renditions of Coldplay", ["Coldplay"]),
        ("Karaoke - Madonna", ["Madonna"]),
        ("Iron Maiden Tribute Band", ["Iron Maiden"]),
    ],
)
def test_whose_name_has_better_known_ones_in_it_is_one_of_these(name, originals):
    """The names of joint credits are in HetRec 2011, those of tributes on the discs of their series."""
    library = items([name, *originals], listeners=[3] + [50] * len(originals))
    aliases, all_rows = Aliases(library), np.arange(len(originals) + 1, dtype=np.int32)
    first, last = aliases.groups(all_rows).tolist(), aliases.last(all_rows).tolist()
    assert first[0] in first[1:]
    assert last[0] in last[1:]
    if len(originals) == 2:
        assert (first[0], last[0]) == (first[1], last[2])
    # With more listeners than any of these it is somebody else.
    library = items([name, *originals], listeners=[99] + [50] * len(originals))
    assert Aliases(library).groups(all_rows).tolist()[0] not in first[1:]


@pytest.mark.parametrize(
    "name", ["Above & Beyond", "She & Him", "Iron & Wine", "Bear vs. Shark", "Earth, Wind & Fire", "Tegan and Sara"]
)
def test_a_band_of_several_words_stays_itself(name):
    """Also where somebody little known is called like one of the words."""
    parts = [part for part in name.replace(",", "").split() if part not in ("&", "and", "vs.")]
    library = items([name, *parts], listeners=[500] + [2] * len(parts))
    assert len(set(Aliases(library).groups(np.arange(len(parts) + 1, dtype=np.int32)).tolist())) == len(parts) + 1


@pytest.mark.parametrize("piece", ["(", " - ", "tribute to ", " & "])
def test_names_made_to_waste_time_take_little(piece):
    """Forty names of 4,096 characters, the most that an import keeps."""
    names = [f"{number}{piece * 4096}"[:4096] for number in range(40)]
    tracks = items(names, kind="track", parents=[0] * len(names))
    begun = time.process_time()
    for aliases in (Aliases(items(names)), Aliases(tracks, Aliases(items(["Radiohead"])))):
        assert len(set(aliases.groups(np.arange(len(names), dtype=np.int32)).tolist())) == len(names)
    assert time.process_time() - begun < 3


@pytest.mark.parametrize(
    "title",
    [
        "Creep (In the Style of Radiohead)",
        "Creep (In the Style of Radiohead) [Karaoke Version]",
        "Creep (Originally Performed by Radiohead)",
        "Creep - Made Famous by Radiohead",
        "Creep [A Tribute to Radiohead]",
    ],
)
def test_a_song_in_the_style_of_another_is_the_original(title):
    artists = Aliases(items(["Radiohead", "Ameritz Karaoke", "The Radiohead"], listeners=[90, 4, 1]))
    tracks = items(["Creep", title, "Creep", "Karma Police"], kind="track", parents=(0, 1, 2, 0))
    one, style, spelt, other = Aliases(tracks, artists).groups(rows(0, 1, 2, 3)).tolist()
    assert one == style == spelt != other
    # Who is better known than the one that is named made it their own.
    artists = Aliases(items(["Radiohead", "Ameritz Karaoke", "The Radiohead"], listeners=[3, 4, 1]))
    assert Aliases(tracks, artists).groups(rows(0, 1)).tolist()[1] != one


def test_songs_stay_apart():
    titles = ["Song", "Song - Part Two", "Songs", "(Interlude)", "(Outro)"]
    assert len(set(groups(titles, kind="track", parents=[3] * 5))) == 5
    assert len(set(groups(["Song", "Song"], kind="track", parents=(3, 4)))) == 2
    assert groups(["Song", "Song"], kind="track", parents=(MISSING, MISSING)) == [-1, -2]


def test_five_plays_are_recognised_most_played_first():
    seeds = recognised_seeds(history([(4, 5), (5, 4), (6, 90), (7, 5)]), most=10, recognised=5, most_played=1)
    assert seeds.rows.tolist() == [6, 4, 7]
    assert seeds.plays.tolist() == [90, 5, 5]
    assert seeds.weights.tolist() == pytest.approx(np.log([91, 6, 6]).tolist())


def test_who_plays_little_still_recognises_what_they_play_most():
    few = history([(4, 1), (5, 2), (6, 4), (7, 2)], [], [(4, 1)])
    seeds = recognised_seeds(few, most=10, recognised=5, most_played=3)
    assert seeds.indptr.tolist() == [0, 3, 3, 4]
    assert seeds.rows.tolist() == [6, 5, 7, 4]


def test_only_so_many_are_taken():
    seeds = recognised_seeds(history([(1, 9), (2, 8), (3, 7)], [(5, 6)]), most=2, recognised=5, most_played=3)
    assert seeds.indptr.tolist() == [0, 2, 3]
    assert seeds.rows.tolist() == [1, 2, 5]


def test_related_lists_are_padded():
    lists = related_lists(4, 3, lambda keys: CSR(np.array([0, 2, 2]), rows(1, 2), np.array([0.9, 0.5], np.float32)))
    table = lists(rows(0, 3))
    assert table["item"].tolist() == [[1, 2, MISSING], [MISSING] * 3]
    assert table["score"].tolist() == [pytest.approx([0.9, 0.5, 0]), [0] * 3]


def test_the_most_popular_children_are_proposed_each_in_one_version():
    songs = items(
        ["A", "A (Live)", "B", "C", "D", "E"],
        kind="track",
        parents=(1, 1, 1, 0, 1, MISSING),
        listeners=[8, 9, 5, 1, 5, 99],
        plays=[1, 1, 7, 1, 7, 1],
    )
    children = popular_children(songs.parents, 3, songs, Aliases(songs).groups, 2)
    assert children(rows(2, 1, 0)).tolist() == [[MISSING, MISSING], [1, 2], [3, MISSING]]


def pairs(indptr, **columns):
    count = indptr[-1]
    return Candidates(
        np.array(indptr),
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
        {name: np.array(values, np.float32) for name, values in columns.items()},
    )


def test_the_formula_blends_shares_of_the_largest():
    formula = Formula("als", 0.75, 0.1)
    assert set(formula.needs) == {"als", CLOSENESS, POPULARITY}
    candidates = pairs([0, 2, 2, 4], als=[2, -1, 8, np.nan], closeness=[1, 4, 0, 0], popularity=[1, 0, 0.5, 0])
    assert formula.score(candidates).tolist() == pytest.approx([0.75 + 0.25 / 4 - 0.1, 0.25, 0.75 - 0.05, 0])
    assert np.isfinite(formula.score(candidates)).all()


def test_nothing_above_zero_is_a_share_of_nothing():
    assert relative(np.array([-2, 0, np.nan], np.float32), np.array([0, 3, 3])).tolist() == [0, 0, 0]
    assert relative(np.zeros(0, np.float32), np.array([0, 0])).tolist() == []
