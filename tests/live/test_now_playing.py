"""What to play next after a queue."""

import numpy as np

from crossfade.live.now_playing import next_up, pools_after, taste_of
from crossfade.live.stations import Listener
from crossfade.stores.live import ItemRef, Listen, Track


def ids(tracks):
    return [one.entry.id for one in tracks]


def genre(item_id):
    return int(item_id[1:3]) % 3


def test_it_goes_on_with_what_is_near_and_never_repeats(pools):
    queue = ["a00-1", "a03-2", "a06-3"]
    found = next_up(pools, queue, 12)
    assert len(set(ids(found)) - set(queue)) == 12
    assert all(genre(one) == 0 for one in ids(found)[:3])
    artists = [one[:3] for one in queue + ids(found)]
    assert all(artists[place] not in artists[place + 1 : place + 4] for place in range(len(artists)))


def test_the_first_is_the_best_by_the_equation(pools):
    queue = ["a00-1", "a04-2"]
    near = []
    for item in reversed(queue):
        listed = [entry.id for entry in pools(item)]
        near.append({one: 1 - rank / len(listed) for rank, one in enumerate(listed)})
    score = {one: (near[0].get(one, 0) + 0.8 * near[1].get(one, 0)) / 1.8 for one in {*near[0], *near[1]}}
    allowed = [one for one in score if one[:3] not in {"a00", "a04"}]
    assert ids(next_up(pools, queue, 1)) == [max(allowed, key=lambda one: score[one])]


def test_the_last_track_counts_most(pools):
    after = [next_up(pools, queue, 1)[0] for queue in (["a00-1", "a04-1"], ["a04-1", "a00-1"])]
    assert [genre(one.entry.id) for one in after] == [1, 0]
    assert after[0].text == "Because Song a04-1 was played"


def test_taste_decides_among_what_is_as_near(pools):
    def like_genre_2(items):
        return np.array([float(genre(one) == 2) for one in items])

    queue = ["a00-1", "a04-1"]
    plain, liked = (ids(next_up(pools, queue, 12, taste=taste)) for taste in (None, like_genre_2))
    assert sum(genre(one) == 2 for one in liked) > sum(genre(one) == 2 for one in plain)


def test_what_is_blocked_and_unknown(pools):
    found = next_up(pools, ["a00-1", "gone"], 20, listener=Listener(barred={"a03"}))
    assert len(found) == 20
    assert not [one for one in ids(found) if one.startswith("a03")]
    assert next_up(pools, ["gone"], 5) == next_up(pools, [], 5) == []


def test_a_release_without_word2vec_has_its_own_pools(genres, pools):
    assert pools_after(genres)("a00-1") == pools("a00-1")


def test_the_taste_of_a_user_is_of_the_release_and_since(genres, live):
    live.add_user("bob")
    assert taste_of(genres, live, "bob", "track") is None
    live.add_listens([Listen(user="bob", listened_at=1_700_000_000_000, track=Track(item=ItemRef("track", "a05-1")))])
    taste = taste_of(genres, live, "bob", "track")
    assert taste is not None
    # Bob has played the third genre.
    assert taste(["a02-1"])[0] > taste(["a00-1"])[0]
