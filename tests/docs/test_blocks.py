"""Every example in the documentation runs.

The blocks of a page run in their order, in a directory of their own with the files of `files` (conftest.py).
A ``python`` block shares its names with the others of the page; they begin with three columns: users, items and plays.
In ``console`` and ``sh`` blocks, `crossfade` and `curl` run on a home like `library`. Of the output that a block shows,
the first line, the titles of columns and the keys of JSON must be right; numbers and other lines may differ.
A ``toml`` block must be valid settings. Above a block may stand, as a comment of HTML,

    setup: Python code that runs before it, and that readers need not see
    not run: the reason
"""

import contextlib
import json
import re
import shlex
import sys
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

import click.testing
import pytest
from tests.programs import started

from crossfade.cli import crossfade
from crossfade.core.errors import MissingExtraError
from crossfade.pipeline.settings import Settings, sections

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

COMMANDS = ("console", "sh")
RUN = ("python", "setup", "toml", *COMMANDS)
SHOWN = ("", "json", "xml")  # what files look like, and diagrams

_PART = re.compile(
    r"^<!-- setup:(?P<setup>.*?)-->"
    r"|(?:^<!-- not run: (?P<reason>[^\n]+?) -->\n+)?^```(?P<language>\w*)\n(?P<content>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A code block of a page; ``line`` is that of its first line of content."""

    page: Path
    line: int
    language: str
    content: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for part in _PART.finditer(text):
        name = "setup" if part["setup"] is not None else "content"
        language = part["language"] if name == "content" else "setup"
        found.append(Block(page, text.count("\n", 0, part.start(name)) + 1, language, part[name], part["reason"]))
    return found


BLOCKS = {page: blocks(page) for page in PAGES}


@pytest.mark.parametrize("block", [block for page in PAGES for block in BLOCKS[page]], ids=str)
def test_a_block_is_run_or_says_why_not(block):
    assert block.language in (*RUN, *SHOWN), f"{block}: there is no way to run {block.language!r}"
    if block.language not in RUN:
        assert not re.match(r"(\$ )?(crossfade|curl|pip|make) ", block.content), f"{block}: commands want ```sh"
    if block.language in COMMANDS and block.reason is None:
        for command, _ in commands(block):
            assert command[0] in ("crossfade", "curl"), f"{block}: only crossfade and curl are run, not {command[0]}"


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if any(block.language in RUN and not block.reason for block in BLOCKS[page])],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_the_examples_of_a_page_run(page, request, workplace, columns):
    runnable = [block for block in BLOCKS[page] if block.language in RUN and not block.reason]
    library = request.getfixturevalue("library") if any(block.language in COMMANDS for block in runnable) else None
    workplace(library)
    namespace: dict[str, Any] = dict(columns)
    with contextlib.ExitStack() as open_servers, Terminal() as terminal:
        for block in runnable:
            if block.language == "toml":
                check_settings(block)
            elif block.language in COMMANDS:
                for command, shown in commands(block):
                    output = terminal.run(command, open_servers)
                    missing = headings(shown) - headings(output)
                    assert not missing, f"{block}: `{shlex.join(command)}` shows {missing}, but printed:\n{output}"
            else:
                run_python(block, namespace)


def run_python(block: Block, namespace: dict[str, Any]) -> None:
    code = "\n" * (block.line - 1) + block.content
    try:
        exec(compile(code, str(block.page), "exec"), namespace)
    except MissingExtraError as error:
        pytest.skip(str(error))


def check_settings(block: Block) -> None:
    settings = Settings(tomllib.loads(block.content), str(block))
    for section in sections():
        settings.section(section)


def commands(block: Block) -> Iterator[tuple[list[str], str]]:
    """Each command of a block and the output that is shown below it; in ```sh every line is a command."""
    prompt = r"^\$ " if block.language == "console" else r"^(?=[^#\s])"
    for part in re.split(prompt, block.content.replace("\\\n", ""), flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        words = shlex.split(line, comments=True)
        while "&&" in words:
            first, words = words[: words.index("&&")], words[words.index("&&") + 1 :]
            yield first, ""
        yield words, shown


def headings(output: str) -> set[str]:
    """What must be right of an output: first line and titles of columns, without numbers, or the keys of JSON."""
    if output.lstrip().startswith(("{", "[")):
        return set(keys(json.loads(output), ""))
    lines = [re.sub(r"\s{2,}", "  ", re.sub(r"\d[\d,.:-]*", "0", line.strip())) for line in output.splitlines()]
    return {line for line in lines if line.startswith("#  ")} | set(lines[:1])


def keys(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield f"{path}.{name}"
            yield from keys(inner, f"{path}.{name}")
    elif isinstance(value, list) and value:
        yield from keys(value[0], f"{path}[]")


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        (
            "Related: Abba\n #  name   score    id\n 1  Blur  0.8     hetrec:7\n",
            {"Related: Abba", "#  name  score  id"},
        ),
        ("12 steps in 3.4 s\nmore\n", {"0 steps in 0 s"}),
        ('{"a": [{"b": 1}, {"c": 2}],\n"d": {"e": null}}', {".a", ".a[].b", ".d", ".d.e"}),
        ("", set()),
    ],
)
def test_what_is_compared_of_an_output(output, wanted):
    assert headings(output) == wanted


class Terminal:
    """Runs commands in this process, as on a terminal that is wide enough for every table."""

    def __enter__(self) -> "Terminal":
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(click.testing._NamedTextIOWrapper, "isatty", lambda file: file.name == "<stdout>")
        for name, value in {"COLUMNS": "240", "NO_COLOR": "1", "TERM": "dumb"}.items():
            self._patch.setenv(name, value)
        self._address = ""
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def run(self, command: list[str], servers: contextlib.ExitStack) -> str:
        program, *arguments = command
        if program == "curl":
            address = re.sub(r"^http://[^/]+", self._address, arguments[-1])
            try:
                with urllib.request.urlopen(address) as reply:
                    return str(reply.read().decode())
            except urllib.error.HTTPError as error:
                self._server.kill()
                pytest.fail(f"{address}: {error}\n{self._server.stderr.read()}")
        if arguments[0] == "serve":
            return self._serve(arguments, servers)
        called = click.testing.CliRunner().invoke(crossfade, arguments)
        assert called.exit_code == 0, f"`{shlex.join(command)}` failed: {called.output}"
        return re.sub(r"\x1b\[[0-9;]*m", "", called.stdout or called.stderr)

    def _serve(self, arguments: list[str], servers: contextlib.ExitStack) -> str:
        self._server = servers.enter_context(
            started(sys.executable, "-m", "crossfade", *arguments, "--port", "0", stderr=PIPE)
        )
        first = self._server.stderr.readline()
        self._address = re.search(r"http://[^/\s]+", first)[0]
        return str(first)
