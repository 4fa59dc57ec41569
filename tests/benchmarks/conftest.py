"""A small data set of real form."""

import numpy as np
import pytest

USERS, ARTISTS, GENRES = 100, 60, 4


@pytest.fixture
def planted(tmp_path):
    """HetRec's tables of four crowds, each with fifteen artists and three tags of its own."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "planted"
    folder.mkdir()
    played, tagged = [], []
    for user in range(USERS):
        own = rng.permutation(ARTISTS // GENRES)[:12] * GENRES + user % GENRES
        played += [f"{user}\t{artist}\t{rng.integers(1, 50)}" for artist in own]
        tagged += [f"{user}\t{artist}\t{rng.integers(3) * GENRES + user % GENRES}\t1\t4\t2009" for artist in own[:8]]
    tables = {
        "artists.dat": ("id\tname\turl\tpictureURL", [f"{row}\tBand No. {row}\tu\tp" for row in range(ARTISTS)]),
        "tags.dat": ("tagID\ttagValue", [f"{row}\tsound {row}" for row in range(3 * GENRES)]),
        "user_artists.dat": ("userID\tartistID\tweight", played),
        "user_taggedartists.dat": ("userID\tartistID\ttagID\tday\tmonth\tyear", tagged),
    }
    for name, (head, rows) in tables.items():
        (folder / name).write_text("\r\n".join([head, *rows]) + "\r\n", newline="")
    return folder
