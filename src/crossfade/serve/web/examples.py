"""An example of each body and answer of the routes of the web page; `crossfade.serve.examples` has the others."""

from pydantic import BaseModel

from crossfade.live.imported import Dropped, Imported
from crossfade.live.imported_plays import ImportedPlay
from crossfade.live.tag_taste import TasteRoot, TasteTag
from crossfade.serve.web.bodies import (
    AlbumAnswer,
    AlbumsAnswer,
    ChildrenAnswer,
    EvaluationAnswer,
    ImportedPlaysAnswer,
    ImportsAnswer,
    JobAnswer,
    JobDescribed,
    MapAnswer,
    ModelsAnswer,
    NewTokenAnswer,
    NewTokenBody,
    PathAnswer,
    PlayableAnswer,
    ProgressAnswer,
    RunBody,
    TagAnswer,
    TagsAnswer,
    TasteAnswer,
    TokenAnswer,
    TokensAnswer,
    WorkAnswer,
)
from crossfade.serve.web.session import EnterBody, LibraryAnswer, SessionAnswer
from crossfade.stores.contract import Entry, Item, Named
from crossfade.surfaces.around import Link, Node, Stop
from crossfade.surfaces.children import Album
from crossfade.surfaces.fitted import ModelOf, Share
from crossfade.surfaces.tags import Tag

_RELEASE = "000012-1f0c9a2b77de"
_BEGAN = 1_763_640_000_000
_SECRET = "cf_0a1b2c3d4e5f_" + 40 * "0"
_LIBRARY = LibraryAnswer(
    release=_RELEASE,
    kinds=("artist", "track"),
    lists={"discover": ["track", "artist"], "related": ["artist"]},
    words=("artist",),
    invented=False,
    audio="files",
)
_TOKEN = TokenAnswer(
    id="0a1b2c3d4e5f", label="my phone", sort="token", scopes=["read", "submit"], created_at=_BEGAN, current=False
)

_BAND = Named(kind="artist", id="hetrec:51", name="Portishead")
_ROADS = Item(kind="track", id="hetrec:51:roads", name="Roads", parent=_BAND, listeners=120, plays=900)
_DUMMY = Album(name="Dummy", tracks=1, listeners=120, plays=900)
_TAG = Tag(name="trip hop", items=42, weight=0.8, x=-0.21, y=0.4)
_HERE = Node(item=_BAND, listeners=384, closeness=1.0, term="trip hop")
_NEAR = Node(
    item=Named(kind="artist", id="hetrec:7", name="Massive Attack"), listeners=402, closeness=0.62, term="trip hop"
)

WEB: tuple[BaseModel, ...] = (
    EnterBody(token=_SECRET),
    SessionAnswer(user="ann", scopes=("manage", "read", "submit"), token="1b2c3d4e5f60", library=_LIBRARY),  # noqa: S106
    TokensAnswer(tokens=[_TOKEN]),
    NewTokenBody(label="my phone", scopes=["read", "submit"]),
    NewTokenAnswer(token=_TOKEN, secret=_SECRET),
    MapAnswer(release=_RELEASE, nodes=[_HERE, _NEAR], links=[Link(source=0, target=1, closeness=0.62)]),
    PathAnswer(release=_RELEASE, path=[Stop(node=_HERE, closeness=None), Stop(node=_NEAR, closeness=0.62)]),
    ChildrenAnswer(release=_RELEASE, item=_BAND, total=31, offset=0, items=[_ROADS]),
    AlbumsAnswer(release=_RELEASE, item=_BAND, albums=[_DUMMY]),
    AlbumAnswer(release=_RELEASE, item=_BAND, album=_DUMMY, tracks=[_ROADS]),
    TagsAnswer(release=_RELEASE, kind="artist", total=300, tags=[_TAG]),
    TagAnswer(
        release=_RELEASE, tag="trip hop", items={"artist": [Entry(id=_BAND.id, name=_BAND.name, score=2.9)]}, similar=[]
    ),
    TasteAnswer(
        release=_RELEASE,
        tags=[TasteTag(tag=_TAG, share=0.12)],
        roots=[TasteRoot(item=_BAND, plays=41, share=0.08, x=-0.2, y=0.38)],
    ),
    ImportsAnswer(
        imports=[
            Imported(
                name="my-history",
                source="my-history.zip",
                at=_BEGAN,
                invented=False,
                formats=["spotify"],
                listener="ann",
                listeners=1,
                read=5_012,
                plays=4_610,
                skips=380,
                counts=0,
                playlist_items=0,
                dropped=[
                    Dropped(
                        reason="private",
                        rows=22,
                        meaning="a private or incognito session; never stored",
                        advice="Private sessions are never imported.",
                        samples=[],
                    )
                ],
                skipped={"ReadMe.pdf": "of no known format"},
                damage={},
                tables={"listens": 4_990},
            )
        ]
    ),
    ImportedPlaysAnswer(
        total=1,
        plays=[
            ImportedPlay(
                listened_at=_BEGAN,
                item=Named(kind="track", id=_ROADS.id, name=_ROADS.name),
                parent=_BAND,
                skipped=False,
                imported="my-history",
            )
        ],
    ),
    RunBody(full=False),
    JobAnswer(
        job=JobDescribed(
            id="0a1b2c3d4e5f",
            sort="run",
            what="",
            state="running",
            started=_BEGAN,
            made=[],
            progress=ProgressAnswer(
                steps=31,
                done=12,
                share=0.41,
                left="3 min left",
                running=[WorkAnswer(title="Fit ALS on tracks", share=0.6)],
                note="",
            ),
        )
    ),
    ModelsAnswer(
        release=_RELEASE,
        models=[
            ModelOf(
                name="als",
                kinds=["artist", "track"],
                blends=False,
                shares=[Share(kind="track", weight=0.42, adds=0.011, error=0.002)],
            )
        ],
    ),
    EvaluationAnswer(finished=_BEGAN, figures={"kind": "track", "k": 20, "models": []}),
    PlayableAnswer(playable=["hetrec:51:roads"]),
)
