"""The data sets that are bare tables: hand-made rows, and the real files where they are at hand."""

import subprocess

import pytest

ARTIST = "8bfac288-ccc5-448d-9573-c33ea2aa5c30"
TRACK = "62c2e20a-559e-422f-a44c-9afa7882f0c4"
USER = "b80344d063b5ccb3212f76538f3d9e43d87dca9e"
OTHER = "4c5bbfababc9e93891d297fc9673a2131d92715b"
SONG = "SOAKIMP12A8C130995"


def folder(place):
    return {path.name: path.read_bytes() for path in sorted(place.iterdir())}


def awk(program, path):
    """What awk prints for a file without its carriage returns: a second opinion on the real data."""
    done = subprocess.run(
        ["awk", "-F", "\t", f'{{ sub(/\\r$/, "") }} {program}', path], capture_output=True, text=True, check=True
    )
    return [line.split() for line in done.stdout.splitlines()]


def test_lastfm_360k(read, examples):
    found = read("lastfm-360k", examples["lastfm-360k"])
    artist = {"kind": "artist", "parent_id": None}
    assert found.counted == [
        {"line": 1, "user_id": f"lastfm-360k:{USER}", "plays": 2137.0, **artist, "item_id": ARTIST},
        {"line": 2, "user_id": f"lastfm-360k:{USER}", "plays": 1099.0, **artist, "item_id": "name:die ärzte"},
    ]
    assert found.artists == {ARTIST: "betty blowtorch", "name:die ärzte": "die ärzte"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (f"sep 20, 2008\t{ARTIST}\tturbostaat\t12", "malformed"),
        (f"{USER}\t{ARTIST}\ttwo\twords\t12", "malformed"),
        (f"{USER}\t{ARTIST}\tturbostaat", "malformed"),
        (f"{USER}\t{ARTIST}\tturbostaat\tmany", "malformed"),
        (f"{USER}\t\t \t12", "incomplete"),
    ],
)
def test_a_bad_row_of_lastfm_360k_costs_itself_alone(row, reason, read):
    good = f"{USER}\t{ARTIST}\tlow\t 3\n"
    found = read("lastfm-360k", {"x.tsv": f"{good}{row}\n\n{good}".encode()})
    assert [(count["line"], count["plays"]) for count in found.counted] == [(1, 3), (4, 3)]
    assert found.reasons == [(2, reason)]


def test_lastfm_1k(read, examples):
    found = read("lastfm-1k", examples["lastfm-1k"])
    # 4 May 2009 is day 14,368 since 1970.
    midnight = 14_368 * 86_400
    assert found.listened == [
        {
            "line": 1,
            "user_id": "lastfm-1k:user_000001",
            "listened_at": midnight + 23 * 3600 + 8 * 60 + 57,
            "parent": "Deep Dish",
            "name": "Composition 0919 (Live)",
            "parent_id": ARTIST,
            "item_id": None,
        },
        {
            "line": 2,
            "user_id": "lastfm-1k:user_000002",
            "listened_at": midnight + 13 * 3600 + 54 * 60 + 10,
            "parent": "坂本龍一",
            "name": "Composition 0919",
            "parent_id": None,
            "item_id": TRACK,
        },
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("user_000001\t2009-05-04T23:08:57Z\t\tLow\t\ta\ttab", "malformed"),
        ("user_000001\t2009-05-04T23:08:57Z\t\tLow", "malformed"),
        ("somebody\t2009-05-04T23:08:57Z\t\tLow\t\tFly", "malformed"),
        ("user_000001\t4 May 2009\t\tLow\t\tFly", "malformed"),
        ("user_000001\t2009-05-04T23:08:57Z\t\t \t\tFly", "incomplete"),
    ],
)
def test_a_bad_row_of_lastfm_1k_costs_itself_alone(row, reason, read):
    good = "user_000001\t2009-05-04T23:08:57Z\t\tLow\t\t"
    found = read("lastfm-1k", {"x.tsv": f"{good}Fly\n{row}\n{good}\n".encode()})
    assert [(listen["line"], listen["name"]) for listen in found.listened] == [(1, "Fly"), (3, None)]
    assert found.reasons == [(2, reason)]


@pytest.mark.parametrize(
    "spoilt",
    [b"", b"\n", b"user_000001\n", b"user_000001\t\t\tLow\t\tFly\n", b"user_000001\t2009-05-04T23:08:57Z\t\t \t\t\n"],
)
def test_lastfm_1k_reads_blocks_and_rows_alike(spoilt, rng, read):
    """A bad row makes its block be read row by row; the good ones come out the same."""
    names = ["Low", " Low ", "Bj\u00f6rk", 'Say "Yes"', '"Heroes"', "a,b", "NULL", "0"]
    lines = []
    for _ in range(300):
        artist, title = rng.choice(names), rng.choice([*names, "\u2028", ""])
        artist_id, track_id = rng.choice(["", ARTIST, TRACK.upper(), "no-mbid"], size=2)
        user = f"user_{rng.integers(1000):06d}"
        time = f"200{rng.integers(5, 10)}-0{rng.integers(1, 10)}-1{rng.integers(10)}T0{rng.integers(10)}:59:07Z"
        lines.append("\t".join((user, time, artist_id, artist, track_id, title)))
    content = "\n".join(lines).encode() + b"\n"
    blockwise, rowwise = read("lastfm-1k", {"x": content}), read("lastfm-1k", {"x": b"\xef\xbb\xbf" + content})
    assert blockwise == rowwise
    assert len(blockwise.listened) == 300
    spoilt_too = read("lastfm-1k", {"x": content + spoilt})
    assert spoilt_too.listened == blockwise.listened
    assert len(spoilt_too.dropped) == (1 if spoilt.strip() else 0)


def test_lastfm_1k_in_latin_1(read):
    content = "user_000001\t2009-05-04T23:08:57Z\t\tBj\u00f6rk\t\tJ\u00f3ga\r\n" * 2
    found = read("lastfm-1k", {"x": content.encode("iso-8859-1")})
    assert [(row["line"], row["parent"], row["name"]) for row in found.listened] == [
        (1, "Bj\u00f6rk", "J\u00f3ga"),
        (2, "Bj\u00f6rk", "J\u00f3ga"),
    ]


def test_taste_profile_with_names(read, examples):
    found = read("taste-profile", examples["taste-profile"])
    track = {"kind": "track", "parent_id": None}
    assert found.counted == [
        {"line": line, "user_id": f"taste-profile:{user}", "plays": plays, **track, "item_id": f"taste-profile:{song}"}
        for line, user, plays, song in [(1, USER, 1, SONG), (2, USER, 2, "SOBBMDR12A8C13253B"), (3, OTHER, 3, SONG)]
    ]
    assert found.tracks == {
        f"taste-profile:{SONG}": {"name": "Silent Night", "parent_id": "name:faster pussy cat"},
        "taste-profile:SOBBMDR12A8C13253B": {"name": "Tanssi vaan", "parent_id": "name:karkkiautomaatti"},
    }
    assert found.artists == {
        "name:faster pussy cat": "Faster Pussy cat",
        "name:karkkiautomaatti": "Karkkiautomaatti",
    }


@pytest.mark.parametrize(
    "row", [f"{USER}\t{SONG}", f"{USER}\t{SONG}\t1\t2", f"{USER}x\t{SONG}\t1", f"{USER}\tSO1\t1", f"{USER}\t{SONG}\t-"]
)
def test_a_bad_triplet_costs_itself_alone(row, read):
    good = f"{USER}\t{SONG}\t4\n"
    found = read("taste-profile", {"x.txt": f"{good}{row}\n{good}".encode()})
    assert [count["line"] for count in found.counted] == [1, 3]
    assert found.reasons == [(2, "malformed")]


def test_real_taste_profile(read, shared_data):
    place = shared_data / "taste-profile"
    found = read("taste-profile", folder(place))
    (totals,) = awk("{ plays += $3; u[$1]; s[$2] } END { print NR, plays, length(u), length(s) }", place / "10000.txt")
    users = {count["user_id"] for count in found.counted}
    songs = {count["item_id"] for count in found.counted}
    assert [len(found.counted), sum(count["plays"] for count in found.counted), len(users), len(songs)] == [
        int(total) for total in totals
    ]
    assert len(found.counted) == 42_739
    assert found.dropped == []


def test_hetrec(read, examples):
    found = read("hetrec", examples["hetrec"])
    assert [(count["user_id"], count["item_id"], count["plays"]) for count in found.counted] == [
        ("hetrec:2", "hetrec:51", 13_883),
        ("hetrec:2", "hetrec:52", 11_690),
        ("hetrec:3", "hetrec:51", 7),
    ]
    assert found.artists == {"hetrec:51": "Duran Duran", "hetrec:52": "Morcheeba"}
    assert found.tags == {("artist", "hetrec:51", "new wave"): 2, ("artist", "hetrec:52", "génial"): 1}
    assert found.friends == [("hetrec:2", "hetrec:3"), ("hetrec:3", "hetrec:2")]
    assert found.dropped == []


@pytest.mark.parametrize(
    ("file", "row", "reason"),
    [
        ("user_artists.dat", b"2\t51", "malformed"),
        ("user_artists.dat", b"2\t51\tmany", "malformed"),
        ("user_artists.dat", b"\t51\t3", "incomplete"),
        ("user_artists.dat", b"2\t\t3", "incomplete"),
        ("artists.dat", b"53\tLow", "malformed"),
        ("artists.dat", b"53\t\thttp://u\thttp://p", "incomplete"),
        ("tags.dat", b"9\t", "incomplete"),
        ("user_taggedartists.dat", b"2\t51\t99\t1\t4\t2009", "incomplete"),
        ("user_taggedartists.dat", b"2\t51\t1", "malformed"),
        ("user_friends.dat", b"2\t", "incomplete"),
    ],
)
def test_a_bad_row_of_any_hetrec_table_costs_itself_alone(file, row, reason, examples, read):
    files = dict(examples["hetrec"])
    line = files[file].count(b"\n") + 1
    files[file] += row + b"\r\n"
    found, sound = read("hetrec", files), read("hetrec", examples["hetrec"])
    assert found.reasons == [(line, reason)]
    found.dropped.clear()
    assert found == sound


def test_a_file_that_is_none_of_hetrecs_tables_is_accounted_for(examples, read):
    found = read("hetrec", {**examples["hetrec"], "readme.txt": b"about\nthis\n"})
    assert found.reasons == [(2, "malformed")]
    assert len(found.counted) == 3


def test_real_hetrec(read, shared_data):
    place = shared_data / "hetrec-lastfm"
    found = read("hetrec", folder(place))
    (counts,) = awk("NR > 1 { n++; plays += $3 } END { print n, plays }", place / "user_artists.dat")
    assert [len(found.counted), int(sum(count["plays"] for count in found.counted))] == [int(n) for n in counts]
    assert len(found.counted) == 92_834
    assert len(found.artists) == 17_632
    assert len(found.friends) == 25_434
    (tags,) = awk(
        "NR > 1 && NF == 6 { n++; pair[$2, $3] } END { print n, length(pair) }", place / "user_taggedartists.dat"
    )
    assert sum(found.tags.values()) == int(tags[0])
    # Tags that differ in their number, but not in their text, are one.
    assert len(found.tags) <= int(tags[1])
    # 0xE7 in tags.dat, which is in ISO-8859-1.
    assert any(tag == "rock français" for _, _, tag in found.tags)
    assert found.dropped == []


def test_audioscrobbler(read, examples):
    found = read("audioscrobbler", examples["audioscrobbler"])
    assert [(count["user_id"], count["item_id"], count["plays"]) for count in found.counted] == [
        ("audioscrobbler:1000002", "audioscrobbler:1", 55),
        ("audioscrobbler:1000002", "audioscrobbler:1000006", 33),
        ("audioscrobbler:1000019", "audioscrobbler:1", 8),
    ]
    assert found.artists == {"audioscrobbler:1": "Portishead", "audioscrobbler:1000006": "Morcheeba"}


def test_aliases_are_followed_to_their_end_and_names_follow_them(read):
    found = read(
        "audioscrobbler",
        {
            "user_artist_data.txt": b"9 1 1\n9 2 2\n9 3 3\n9 4 4\n9 5 5\n9 6 6\n",
            # 1 is 2, which is 3; 4 and 5 are said to be each other.
            "artist_alias.txt": b"1\t2\n2\t3\n4\t5\n5\t4\n",
            "artist_data.txt": b"1\tThe Low\n2\tL o w\n4\tBjork\n6\tSade\n",
        },
    )
    assert [count["item_id"][15:] for count in found.counted] == ["3", "3", "3", "4", "4", "6"]
    # 3 has no name of its own, so that of the first id that stands for it is taken.
    assert found.artists == {"audioscrobbler:3": "The Low", "audioscrobbler:4": "Bjork", "audioscrobbler:6": "Sade"}


@pytest.mark.parametrize(
    ("file", "row", "reason"),
    [
        ("user_artist_data.txt", b"1000002 1", "malformed"),
        ("user_artist_data.txt", b"1000002 1 5 6", "malformed"),
        ("user_artist_data.txt", b"someone 1 5", "malformed"),
        ("user_artist_data.txt", b"1000002 one 5", "malformed"),
        ("user_artist_data.txt", b"1000002 1 five", "malformed"),
        ("artist_data.txt", b"continued name", "malformed"),
        ("artist_data.txt", b"x\tname", "malformed"),
        ("artist_data.txt", b"77\t", "incomplete"),
        ("artist_alias.txt", b"\t1", "malformed"),
        ("artist_alias.txt", b"1 2", "malformed"),
    ],
)
def test_a_bad_row_of_any_audioscrobbler_table_costs_itself_alone(file, row, reason, examples, read):
    files = dict(examples["audioscrobbler"])
    # Enough good rows that the file is still taken for what it is.
    files[file] = files[file] * 20
    line = files[file].count(b"\n") + 1
    sound = read("audioscrobbler", files)
    found = read("audioscrobbler", {**files, file: files[file] + row + b"\r\n"})
    assert found.reasons == [(line, reason)]
    found.dropped.clear()
    assert found == sound


def test_real_audioscrobbler(read, shared_data, recognised):
    place = shared_data / "audioscrobbler-small"
    files = folder(place)
    assert recognised("audioscrobbler", "README.txt", files.pop("README.txt")) == 0
    found = read("audioscrobbler", files)
    rows = files["user_artist_data_small.txt"].count(b"\n")
    assert len(found.counted) + len([line for line, _ in found.reasons]) == rows == 49_481
    counts = awk(
        "{ split($0, a, / /); n++; plays += a[3] } END { print n, plays }", place / "user_artist_data_small.txt"
    )
    assert sum(count["plays"] for count in found.counted) == int(counts[0][1])
    # Ten of the aliases are of an id to itself.
    aliases = awk("$1 != $2 { print $1, $2 }", place / "artist_alias_small.txt")
    assert len(aliases) == 577
    bad = {alias[0] for alias in aliases}
    named = {count["item_id"].removeprefix("audioscrobbler:") for count in found.counted}
    assert not named & bad
    assert not {artist.removeprefix("audioscrobbler:") for artist in found.artists} & bad


def test_movielens_lines_are_no_format_at_all(recognised, shared_data):
    content = (shared_data / "movielens1m-m1" / "test.txt").read_bytes()
    assert recognised("audioscrobbler", "test.txt", content) == 0
    assert recognised("columns", "test.txt", content) == 0
