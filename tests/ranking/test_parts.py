"""The parts of ranking, by hand."""

import numpy as np
import pytest

from crossfade.core.errors import SettingsError
from crossfade.core.ids import MISSING
from crossfade.ranking.aliases import artist_groups, track_groups
from crossfade.ranking.candidates import blended, candidate_makers, closeness_of
from crossfade.ranking.diversity import diverse_page
from crossfade.ranking.lists import Grouping, Lists, thinned
from crossfade.ranking.pages import DiscoverSettings
from crossfade.ranking.popularity import evidence, popularity_cost, units
from crossfade.ranking.reasons import best_reason, recognised_seeds


def rows(*values):
    return np.array(values, dtype=np.int32)


@pytest.fixture
def related():
    """0 → 1 (0.9), 2 (0.5);  1 → 0 (0.9);  2 → nothing;  3 → 2 (0.4)."""
    return Lists(
        indptr=np.array([0, 2, 3, 3, 4]), rows=rows(1, 2, 0, 2), scores=np.array([0.9, 0.5, 0.9, 0.4], np.float32)
    )


def test_evidence_is_half_at_the_shrinkage():
    assert evidence(np.array([0, 5, 15]), 5.0).tolist() == [0, 0.5, 0.75]
    assert evidence(np.array([0, 1]), 0.0).tolist() == [0, 1]


def test_units_have_length_one_and_zeros_stay():
    np.testing.assert_allclose(units(np.array([[3, 4], [0, 0]], np.float32)), [[0.6, 0.8], [0, 0]])


def test_the_best_known_costs_beta_and_the_unknown_nothing():
    # ln(1 + 3) is half of ln(1 + 15).
    assert popularity_cost(np.array([15, 3, 0]), 0.4).tolist() == pytest.approx([0.4, 0.2, 0])
    assert popularity_cost(np.array([0, 0]), 0.4).tolist() == [0, 0]


def test_lists_can_be_cut(related):
    cut = related.first(1)
    assert cut.indptr.tolist() == [0, 1, 2, 2, 3]
    assert cut.rows.tolist() == [1, 0, 2]


def test_groups_thin_lists_out_from_the_top():
    groups = rows(7, 7, 7, 8, MISSING, MISSING)
    lists = np.array([[3, 2, 1, 0, 4, 5], [5, 0, MISSING, 1, 4, 2]], dtype=np.int32)
    one = thinned(lists, rows(4, 0), [Grouping(groups=groups, cap=1, own_cap=2)])
    assert one.tolist() == [[1, 1, 0, 0, 1, 1], [1, 1, 0, 1, 1, 0]]


def test_what_one_grouping_took_does_not_count_in_the_next():
    lists = rows(0, 1, 2)[None, :]
    versions = Grouping(groups=rows(5, 5, 6), cap=1, own_cap=1)
    makers = Grouping(groups=rows(9, 9, 9), cap=2, own_cap=2)
    assert thinned(lists, rows(0), [versions, makers]).tolist() == [[True, False, True]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Beyoncé", "BEYONCE"),
        ("The Beatles", "Beatles, The"),
        ("Simon & Garfunkel", "Simon and Garfunkel"),
        ("Guns N' Roses", "Guns N Roses"),
        ("Eminem", "Eminem feat. Rihanna"),
        ("Eminem", "Eminem (ft. Rihanna)"),
        ("AC/DC", "ACDC"),
    ],
)
def test_spellings_of_one_artist_are_one(one, other):
    assert len(set(artist_groups([one, other]))) == 1


def test_different_artists_stay_apart():
    names = ["The The", "The", "Them", "Feat", "Ftisland", "Кино", "きのこ帝国"]
    groups = artist_groups(names)
    # "The The" is "The" without its article; nobody can tell these two by name alone.
    assert groups[0] == groups[1]
    assert len(set(groups[1:].tolist())) == 6
    assert MISSING not in groups


def test_names_without_a_letter_are_no_group():
    assert artist_groups(["!!!", "???"]).tolist() == [MISSING, MISSING]


@pytest.mark.parametrize("version", ["Song (Live)", "Song - Remastered 2009", "song [Demo]", "Song - Radio Edit"])
def test_versions_of_one_song_are_one(version):
    assert len(set(track_groups(["Song", version], rows(3, 3)))) == 1


def test_songs_stay_apart():
    titles = ["Song", "Song - Part Two", "Songs", "(Interlude)", "(Outro)"]
    assert len(set(track_groups(titles, rows(3, 3, 3, 3, 3)))) == 5
    assert len(set(track_groups(["Song", "Song"], rows(3, 4)))) == 2
    assert track_groups(["Song"], rows(MISSING)).tolist() == [MISSING]


def test_five_plays_are_recognised_most_played_first():
    order = recognised_seeds(rows(4, 5, 6, 7), rows(5, 4, 90, 5), most=10, recognised=5, most_played=1)
    assert order.tolist() == [2, 0, 3]


def test_who_plays_little_still_recognises_what_they_play_most():
    order = recognised_seeds(rows(4, 5, 6, 7), rows(1, 2, 4, 2), most=10, recognised=5, most_played=3)
    assert order.tolist() == [2, 1, 3]
    assert recognised_seeds(rows(4), rows(1), most=10, recognised=5, most_played=3).tolist() == [0]
    assert recognised_seeds(rows(), rows(), most=10, recognised=5, most_played=3).tolist() == []


def test_only_so_many_are_taken():
    assert recognised_seeds(rows(1, 2, 3), rows(9, 8, 7), most=2, recognised=5, most_played=3).tolist() == [0, 1]


def test_the_reason_weighs_plays_and_nearness(related):
    points = np.zeros((4, 2), np.float32)
    spent = np.zeros(2, np.bool_)
    # For maker 2: ln(1 + 7) · 0.5 = 1.04 against ln(1 + 20) · 0.4 = 1.22.
    assert best_reason(related, points, rows(0, 3), rows(7, 20), 2, 0.3, spent) == 1
    assert best_reason(related, points, rows(0, 3), rows(7, 20), 2, 0.3, np.array([False, True])) == 0
    assert best_reason(related, points, rows(0, 3), rows(7, 20), 2, 0.3, np.array([True, True])) == -1
    assert best_reason(related, points, rows(0, 3), rows(7, 20), 3, 0.3, spent) == -1


def test_nearness_makes_a_reason_without_a_list(related):
    points = np.array([[0, 0], [0, 0], [0.6, 0], [0.9, 0]], np.float32)
    spent = np.zeros(1, np.bool_)
    assert best_reason(related, points, rows(2), rows(9), 3, 0.53, spent) == 0
    assert best_reason(related, points, rows(2), rows(9), 3, 0.55, spent) == -1


def test_candidates_are_related_or_liked_and_not_known(related):
    things = rows(0, 1, 2, 1)
    assert candidate_makers(related, rows(0), rows(3, MISSING), rows(0), things).tolist() == [1, 2, 3]
    # 1 and 3 are the same thing, so knowing one is knowing both.
    assert candidate_makers(related, rows(0), rows(3, MISSING), rows(0, 1), things).tolist() == [2]


def test_closeness_adds_up_over_seeds(related):
    closeness = closeness_of(related, rows(0, 3), rows(7, 1))
    assert closeness.tolist() == pytest.approx([0, np.log(8) * 0.9, np.log(8) * 0.5 + np.log(2) * 0.4, 0])


def test_scores_blend_what_each_source_says():
    scores = blended(np.array([2.0, -1.0]), np.array([1.0, 4.0]), np.array([0.1, 0.0]), 0.75)
    assert scores.tolist() == pytest.approx([0.75 + 0.25 / 4 - 0.1, 0.25])
    assert blended(np.zeros(1), np.zeros(1), np.zeros(1), 0.5).tolist() == [0]


def test_a_page_is_spread_by_marginal_relevance():
    """1 is 0's double: 2 comes before it, though its score is lower."""
    units_ = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    page, values = diverse_page(
        rows(0, 1, 2), np.array([1.0, 0.9, 0.6]), units_, lambda item: True, size=3, pool=3, diversity=0.5
    )
    assert page == [0, 2, 1]
    assert values == pytest.approx([0.5, 0.3, -0.05])


def test_without_diversity_a_page_is_in_the_order_of_scores():
    page, values = diverse_page(
        rows(3, 1, 2), np.array([0.2, 0.9, 0.9]), np.ones((4, 2)), lambda item: item != 1, size=3, pool=1, diversity=0.0
    )
    assert page == [2, 3]
    assert values == [0.9, 0.2]


@pytest.mark.parametrize("wrong", [{"taste": 1.5}, {"near": 10.0}, {"size": 0}, {"diversity": float("nan")}])
def test_settings_that_make_no_page_are_refused(wrong):
    with pytest.raises(SettingsError, match="discover"):
        DiscoverSettings(**wrong)
