"""Files of published splits: their two forms, and what is refused."""

import pytest

from crossfade.core.errors import InputError
from crossfade.evaluate.pair_files import read_pairs


@pytest.fixture
def written(tmp_path):
    def write(text, name="train.txt"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def content(interactions):
    """{user: {item: weight}}"""
    return {
        user: {
            interactions.item_ids[int(interactions.indices[place])]: float(interactions.weights[place])
            for place in range(interactions.indptr[row], interactions.indptr[row + 1])
        }
        for row, user in enumerate(interactions.user_ids)
    }


def test_lists_have_all_items_of_a_user_on_a_line(written):
    (read,) = read_pairs([written("0 7 9 8\n\n1 9\n2\n")])
    assert content(read) == {"0": {"7": 1, "8": 1, "9": 1}, "1": {"9": 1}, "2": {}}


def test_pairs_may_have_weights_and_are_summed(written):
    (read,) = read_pairs([written("ann x 2.5\nann y\nbob x 1\nann x 0.5\n")])
    assert content(read) == {"ann": {"x": 3, "y": 1}, "bob": {"x": 1}}


def test_an_item_twice_in_a_list_counts_once(written):
    (read,) = read_pairs([written("0 7 7 8 7\n")])
    assert content(read) == {"0": {"7": 1, "8": 1}}


def test_rows_mean_the_same_in_all_files(written):
    train, test = read_pairs([written("0 7 9 8\n1 9 8 7\n"), written("1 5\n3 7\n", "test.txt")])
    assert list(train.user_ids) == list(test.user_ids) == ["0", "1", "3"]
    assert list(train.item_ids) == list(test.item_ids) == ["5", "7", "8", "9"]
    assert content(test) == {"0": {}, "1": {"5": 1}, "3": {"7": 1}}


def test_a_test_file_of_short_lists_is_read_like_its_train_file(written):
    """Each of its lines by itself could be a pair with a weight."""
    train, test = read_pairs([written("0 7 9 8\n1 9\n"), written("0 5 3\n1 8 2\n", "test.txt")])
    assert content(test) == {"0": {"5": 1, "3": 1}, "1": {"8": 1, "2": 1}}
    assert content(train)["1"] == {"9": 1}


def test_what_is_in_doubt_can_be_said(written):
    path = written("0 5 3\n1 8 2\n")
    assert content(read_pairs([path])[0])["0"] == {"5": 1, "3": 1}
    assert content(read_pairs([path], "pairs")[0])["0"] == {"5": 3}


@pytest.mark.parametrize(
    ("text", "form", "told"),
    [
        ("", "auto", "has no pair of a user"),
        ("0\n1\n", "auto", "has no pair of a user"),
        ("0 a 1\n0 b 0\n", "auto", r"line 2: '0 b 0'.*above zero"),
        ("0 a 1\n0 b nan\n", "auto", r"line 2.*above zero"),
        ("0 a 1\n0 b much\n", "auto", r"line 2.*above zero"),
        ("0 a b c\n", "pairs", r"line 1.*--form lists"),
        (b"0 a\xff b\n", "auto", "not text in UTF-8"),
    ],
)
def test_what_cannot_be_read_is_named(written, text, form, told):
    with pytest.raises(InputError, match=told):
        read_pairs([written(text)], form)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match=r"absent\.txt cannot be read"):
        read_pairs([tmp_path / "absent.txt"])
