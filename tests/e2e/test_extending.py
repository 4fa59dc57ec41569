"""A kind of item, a format, a model, a surface, an index, a store and a runner, each added by what
docs/architecture.md says and by nothing else, work together in a library of their own.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra `serve`")

TASTES, BOOKS, CHAPTERS, LISTENERS = 3, 5, 4, 30


@pytest.fixture(scope="module")
def answer(tmp_path_factory):
    """What `extension.py` prints for listeners who hear all books of one taste but one."""
    place = tmp_path_factory.mktemp("extending")
    lines = ["#chapters"]
    for listener in range(LISTENERS):
        taste = listener % TASTES
        for number in range(BOOKS):
            if number == (listener // TASTES) % BOOKS:
                continue
            book = taste * BOOKS + number
            lines += [
                f"reader-{listener:02d}, Book {book}, Chapter {chapter} of {book}, Narrator {taste}"
                for chapter in range(CHAPTERS)
            ]
    (place / "chapters.txt").write_text("\n".join(lines) + "\n")
    program = Path(__file__).with_name("extension.py")
    command = [sys.executable, str(program), str(place / "chapters.txt"), str(place / "home")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_new_format_is_recognised_and_read(answer):
    assert answer["plays"] == LISTENERS * (BOOKS - 1) * CHAPTERS


def test_a_new_kind_has_its_parent_its_fields_and_its_names(answer):
    assert answer["parent"] == "Book 1"
    assert answer["fields"] == {"narrator": "Narrator 0"}
    assert answer["found"][0] == "Chapter 1 of 1"


def test_a_new_model_is_fitted_on_every_kind(answer):
    assert {"mine-book", "mine-chapter", "als-book", "als-chapter"} <= set(answer["parts"])


def test_a_new_surface_has_its_tables_and_routes(answer):
    assert {"fresh-book", "fresh-chapter"} <= set(answer["tables"])
    assert len(answer["fresh"]) == TASTES * BOOKS
    assert "/v1/fresh" in answer["routes"]


def test_every_surface_lists_a_new_kind(answer):
    wanted = {"related-book", "radio-book", "radio-chapter", "popular-book", "popular-chapter"}
    assert wanted | {"discover-book", "discover-chapter"} <= set(answer["tables"])
    assert any(route.startswith("/v1/books/") and route.endswith("/related") for route in answer["routes"])


def test_discover_finds_the_book_that_was_not_heard_because_of_those_that_were(answer):
    ((user, page),) = answer["discover"].items()
    assert user == "reader-00"
    assert page[0][0] == "Book 0"
    assert page[0][1] in {f"Book {number}" for number in range(1, BOOKS)}


def test_a_new_index_store_and_runner_are_used_when_the_settings_name_them(answer):
    assert answer["used"] == ["index", "runner", "store"]
