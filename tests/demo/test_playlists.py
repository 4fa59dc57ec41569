"""Playlists keep to their theme; friends share taste."""

from dataclasses import replace

import numpy as np
import pytest

from crossfade.demo import genres
from crossfade.demo.settings import DEFAULT
from crossfade.demo.world import simulate


@pytest.fixture(scope="module")
def town():
    return simulate(replace(DEFAULT, listeners=500, artists=1_000, playlists=300))


def lists(town):
    shelf = town.playlists
    return [shelf.tracks[shelf.first[row] : shelf.first[row + 1]] for row in range(len(shelf.titles))]


def test_playlists_are_of_a_plausible_size_without_repeats(town):
    sizes = [len(tracks) for tracks in lists(town)]
    assert 8 <= np.median(sizes) <= 60
    assert all(len(set(tracks.tolist())) == len(tracks) for tracks in lists(town))
    assert min(sizes) >= 1


def test_playlists_are_more_coherent_than_chance(town):
    music = town.catalogue
    popular = np.exp(music.log_popularity[music.artist_of]) * music.weights
    rng = np.random.default_rng(0)

    def spread(tracks):
        places = music.vectors[music.artist_of[tracks]]
        return ((places - places.mean(axis=0)) ** 2).sum(axis=1).mean()

    ours, chance = [], []
    for tracks in lists(town):
        ours.append(spread(tracks))
        chance.append(spread(rng.choice(len(popular), len(tracks), p=popular / popular.sum())))
    assert np.mean(ours) < 0.5 * np.mean(chance)


def test_a_theme_is_heard(town):
    music, shelf = town.catalogue, town.playlists
    means = {}
    for kind in ("calm", "loud", "running"):
        rows = [row for row, name in enumerate(shelf.kinds) if name == kind]
        tracks = [lists(town)[row] for row in rows]
        # Against the theme's own genre, since quiet metal is still loud.
        means[kind] = np.mean(
            [
                (music.energy[part] - genres.trait("energy")[shelf.themes[row]]).mean()
                for row, part in zip(rows, tracks, strict=True)
            ]
        )
    assert means["calm"] < means["loud"] - 0.05
    fitting = [
        town.catalogue.match[1, part].mean()
        for part, kind in zip(lists(town), shelf.kinds, strict=True)
        if kind == "running"
    ]
    others = [
        town.catalogue.match[1, part].mean()
        for part, kind in zip(lists(town), shelf.kinds, strict=True)
        if kind == "favourites"
    ]
    assert np.mean(fitting) > 2 * np.mean(others)


def test_titles_name_the_genre_and_its_makers(town):
    shelf = town.playlists
    for title, theme, members in zip(shelf.titles, shelf.themes, shelf.members, strict=True):
        assert genres.GENRES[theme].name in title.lower()
        if len(members) > 1:
            assert all(town.people.ids[member].partition("-")[0].capitalize() in title for member in members)


def test_some_playlists_are_made_by_friends(town):
    friends = {frozenset(pair) for pair in town.friends}
    together = [members for members in town.playlists.members if len(members) > 1]
    assert 0.05 < len(together) / len(town.playlists.members) < 0.25
    for owner, *others in together:
        assert all(frozenset((owner, other)) in friends for other in others)


def test_followers_are_counted_and_long_tailed(town):
    shelf = town.playlists
    for playlist in range(5):
        assert shelf.followers[playlist] == (shelf.followed == playlist).sum()
    assert shelf.followers.max() > 5 * max(np.median(shelf.followers), 1)


def test_friends_are_closer_in_taste_than_strangers(town):
    vectors = town.people.vectors
    pairs = np.array(town.friends)
    assert np.all(pairs[:, 0] < pairs[:, 1])
    assert len({tuple(pair) for pair in pairs.tolist()}) == len(pairs)
    apart = np.random.default_rng(0).integers(len(vectors), size=(5_000, 2))
    gap = ((vectors[pairs[:, 0]] - vectors[pairs[:, 1]]) ** 2).sum(axis=1).mean()
    chance = ((vectors[apart[:, 0]] - vectors[apart[:, 1]]) ** 2).sum(axis=1).mean()
    assert gap < 0.7 * chance
