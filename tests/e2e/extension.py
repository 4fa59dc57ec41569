"""One of everything that Crossfade can be extended by, registered as docs/architecture.md says, in its own process.

python extension.py LINES HOME        imports LINES, runs, and prints as JSON what came out
"""

import json
import sys
from pathlib import Path

# First of all, since tables and routes follow from the kinds that there are when they are imported.
from crossfade.core.kinds import KINDS, Field, Kind

KINDS["book"] = Kind(name="book", plural="books")
KINDS["chapter"] = Kind(name="chapter", plural="chapters", parent="book", fields=(Field("narrator", "text"),))

from crossfade.core.home import Home  # noqa: E402
from crossfade.core.tables import USER  # noqa: E402
from crossfade.formats.registry import FORMATS  # noqa: E402
from crossfade.importing.imports import import_paths  # noqa: E402
from crossfade.models.popularity import Popularity  # noqa: E402
from crossfade.models.registry import MODELS  # noqa: E402
from crossfade.nearest.exact import ExactIndex  # noqa: E402
from crossfade.nearest.registry import BACKENDS  # noqa: E402
from crossfade.pipeline.local import LocalRunner  # noqa: E402
from crossfade.pipeline.runner import RUNNERS  # noqa: E402
from crossfade.stores import sqlite  # noqa: E402
from crossfade.stores.registry import STORES, open_releases  # noqa: E402
from crossfade.surfaces.contract import Listing  # noqa: E402
from crossfade.surfaces.popular import Popular  # noqa: E402
from crossfade.surfaces.registry import SURFACES, Registered  # noqa: E402

used: set[str] = set()


class ChapterLines:
    """Lines "user, book, chapter, narrator"; each is a play."""

    name = "chapter-lines"
    title = "Chapters that somebody heard"

    def recognise(self, member):
        return 1.0 if member.head.startswith(b"#chapters") else 0.0

    def read(self, source, sink):
        for member in source.members:
            for number, line in source.text_lines(member):
                if not line.startswith("#"):
                    user, book, chapter, narrator = line.split(", ")
                    place = (member, number)
                    sink.listen(
                        place,
                        kind="chapter",
                        name=chapter,
                        parent=book,
                        user_id=user,
                        listened_at=1.7e9 + number * 3600,
                        narrator=narrator,
                    )


class Mine(Popularity):
    """A model under a name of its own."""

    name = "mine"


class Fresh(Popular):
    """A surface: what is popular, upside down in name only."""

    name = "fresh"

    def listings(self, library):
        return [Listing(self.name, USER, kind) for kind in library.kinds]


class MyIndex(ExactIndex):
    """Exact search that leaves a trace."""

    backend = "mine"

    def search(self, *arguments, **options):
        used.add("index")
        return super().search(*arguments, **options)


def open_store(home, settings):
    """SQLite, that leaves a trace."""
    used.add("store")
    return sqlite.open_store(home, settings)


class MyRunner(LocalRunner):
    """Steps one after the other, that leave a trace."""

    def run(self, steps, home, watch):
        used.add("runner")
        return super().run(steps, home, watch)


def main(lines: Path, home: Home) -> None:
    sys.modules["extension"] = sys.modules["crossfade.surfaces.extension"] = sys.modules[__name__]
    FORMATS["chapter-lines"] = "extension:ChapterLines"
    MODELS["mine"] = "extension:Mine"
    SURFACES["fresh"] = Registered("fresh", "everyone", "Fresh", "What is fresh.", "extension:Fresh", learned=False)
    BACKENDS["mine"] = "extension:MyIndex"
    STORES["mine"] = "extension:open_store"
    RUNNERS["mine"] = "extension:MyRunner"
    home.prepare()
    home.settings_file.write_text(
        '[run]\nmodels = ["als", "mine"]\nrunner = "mine"\n[index]\nbackend = "mine"\n[store]\nkind = "mine"\n'
    )
    from crossfade.pipeline.run import run
    from crossfade.pipeline.runner import Watch
    from crossfade.pipeline.settings import Settings
    from crossfade.serve.app import create_app
    from crossfade.surfaces.asking import OpenRelease

    (ledger,) = import_paths(home, [lines])
    run(home, Watch())
    settings = Settings.of(home)
    with open_releases(home, settings.section("store")).open() as release:
        opened = OpenRelease(release)
        tables = release.tables
        item = tables.item("chapter", "Chapter 1 of 1")
        answer = {
            "plays": ledger.plays,
            "used": sorted(used),
            "parts": list(release.parts),
            "tables": sorted(tables.tables),
            "parent": item.parent.name,
            "fields": dict(item.fields),
            "found": [one.name for one in tables.search("chapter 1 of 1", limit=3).items["chapter"]],
            "fresh": [entry.name for entry in tables.entries("fresh-book", "*")],
            "discover": {
                user: [
                    (entry.parent.name, entry.reason.name) for entry in opened.entries("discover", user, kind="chapter")
                ]
                for user in tables.users(limit=1)
            },
        }
    paths = create_app(home, settings.section("serve")).openapi()["paths"]
    answer["routes"] = sorted(path for path in paths if "/books" in path or "fresh" in path)
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Home(Path(sys.argv[2])))
