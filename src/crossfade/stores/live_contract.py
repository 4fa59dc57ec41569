"""What every store of the live state answers; the types are those of `crossfade.stores.live`.

Any number of threads and processes may use it at once. A method that writes returns once what it wrote survives power
loss, where the store is a server as far as that is set up so; what it wrote of one user is there as a whole or not at
all, in parts only where it is larger than a store can write at once. Each method on a user's own data raises
UnknownIdError for a user without an account, and UnavailableError while a store that is a server does not answer.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

from crossfade.stores.live import (
    ALL,
    USUAL_SCOPES,
    Account,
    Block,
    Exclusion,
    Feedback,
    ItemRef,
    Listen,
    NowPlaying,
    Opinion,
    Playlist,
    Scope,
    Station,
    Token,
    Which,
)


class Accounts(Protocol):
    """Who may log in, and with what."""

    def add_user(self, user: str) -> Account:
        """Return the account of ``user``, a new one if there was none; InputError for what cannot be an id."""

    def account(self, user: str) -> Account:
        """Return the account of ``user``; UnknownIdError if there is none."""

    def accounts(self) -> list[Account]:
        """Return all accounts in the order of their ids."""

    def remove_user(self, user: str) -> None:
        """Delete the account and everything that belongs to it."""

    def add_token(
        self, user: str, *, label: str = "", scopes: frozenset[Scope] = USUAL_SCOPES, password: bool = False
    ) -> tuple[Token, str]:
        """Return a new token, or a new app password, and its secret, which cannot be read again."""

    def tokens(self, user: str | None = None) -> list[Token]:
        """Return the tokens of ``user``, by default all."""

    def revoke(self, token_id: str) -> None:
        """End a token at once, in all processes; UnknownIdError if there is none of that id."""

    def authenticate(self, secret: str) -> Token | None:
        """Return the token whose secret this is (an app password's is none); None if it is nobody's.

        The time that it takes says nothing about the secret.
        """

    def authenticate_password(self, user: str, accepts: Callable[[str], bool]) -> Token | None:
        """Return the first app password of ``user`` that ``accepts`` takes; None if there is none, or no such user.

        ``accepts`` is handed each secret, and compares what the client sent in constant time, such as by
        ``hmac.compare_digest(sent, md5(secret + salt))``.
        """


class Listening(Protocol):
    """What was played, and what is playing."""

    def add_listens(self, listens: Sequence[Listen]) -> int:
        """Keep listens and return how many are new; one whose id is there already changes nothing.

        One that overlaps a private session of its user is not kept, also when it is sent later; nor is it new.
        """

    def listens(
        self, user: str, which: Which = ALL, *, limit: int, offset: int = 0, oldest_first: bool = False
    ) -> list[Listen]:
        """Return up to ``limit`` listens of ``user``, newest first by default."""

    def count_listens(self, user: str, which: Which = ALL) -> int:
        """Return how many listens `listens` would give without a limit."""

    def delete_listens(self, user: str, which: Which) -> int:
        """Delete listens, and playlists that are made of them, and return how many listens there were.

        Nothing of them stays in a file of the store; a cluster removes it from its disks in its own time.
        """

    def every_listen(self) -> Iterator[Listen]:
        """Yield the listens of all users, in the same order as long as nothing changes.

        A listen that is added or deleted meanwhile may be left out; each of the others comes once.
        """

    def deletions(self) -> int:
        """Return a number that grows whenever a listen or a user is deleted: what was learned has to be made again."""

    def changes(self) -> int:
        """Return a number that grows with each change of anybody's taste, such as a listen, a thumb or a deletion."""

    def set_now_playing(self, playing: NowPlaying) -> None:
        """Replace what this player of the user is playing; not kept in a private session."""

    def now_playing(self, user: str | None = None, *, at: int) -> list[NowPlaying]:
        """Return what is playing at the time ``at``, of ``user`` or of everybody, latest first."""

    def stop_playing(self, user: str, player: str = "") -> None:
        """Say that a player has stopped."""

    def start_private(self, user: str, until: int) -> None:
        """Keep nothing that ``user`` plays or says from now until that time, a day at most; only the times are stored.

        A session that is on already lasts until that time instead.
        """

    def end_private(self, user: str) -> None:
        """End the private session of ``user``, if there is one."""

    def private_until(self, user: str, *, at: int) -> int | None:
        """Return when the private session of ``user`` ends; None if there is none at the time ``at``."""


class Opinions(Protocol):
    """What a user thinks of items, and does not want."""

    def give(self, feedback: Sequence[Feedback]) -> None:
        """Keep feedback: the last of a user, sort and item counts. Not kept in a private session."""

    def feedback(self, user: str, sort: Opinion | None = None) -> list[Feedback]:
        """Return the feedback of ``user`` that stands, latest first."""

    def block(self, block: Block) -> None:
        """Block an item, or change until when; InputError if the user has too many."""

    def unblock(self, user: str, item: ItemRef) -> bool:
        """Undo a block; return whether there was one."""

    def blocks(self, user: str, *, at: int) -> list[Block]:
        """Return the blocks that stand at the time ``at``, latest first."""

    def exclude(self, exclusion: Exclusion) -> None:
        """Leave listens out of taste; InputError for an unknown time zone, or if the user has too many."""

    def include(self, exclusion: Exclusion) -> bool:
        """Undo an exclusion; return whether there was one."""

    def exclusions(self, user: str) -> list[Exclusion]:
        """Return what is left out of the taste of ``user``."""


class Kept(Protocol):
    """Stations and playlists.

    Those that are made or changed in a private session of their user are in the memory of the process that was asked,
    cover what is kept under the same id, and are gone with the session.
    """

    def put_station(self, station: Station) -> Station:
        """Keep ``station`` and return it with its new revision.

        Raises ChangedError if the one that is kept has another revision than ``station``, or belongs to another user,
        InputError if the user has too many.
        """

    def station(self, user: str, station_id: str) -> Station:
        """Return a station of ``user``; UnknownIdError if there is none."""

    def stations(self, user: str) -> list[Station]:
        """Return the stations of ``user``, the last changed first."""

    def delete_station(self, user: str, station_id: str) -> None:
        """Delete a station of ``user``; UnknownIdError if there is none."""

    def put_playlist(self, playlist: Playlist) -> Playlist:
        """Keep ``playlist`` and return it with its new revision; errors as for `put_station`.

        One that is made of listens is refused by a ChangedError too if a listen was deleted since they were read.
        """

    def playlist(self, playlist_id: str) -> Playlist:
        """Return a playlist, whoever may read it; UnknownIdError if there is none."""

    def playlists(self, user: str, sort: str | None = None) -> list[Playlist]:
        """Return the playlists of ``user``, of one sort or all, the last changed first."""

    def delete_playlist(self, user: str, playlist_id: str) -> None:
        """Delete a playlist of ``user``; UnknownIdError if there is none."""


class LiveState(Accounts, Listening, Opinions, Kept, Protocol):
    """The live state of one library."""

    def backup(self, place: Path) -> None:
        """Write all of it into a new file, while it is used; StorageError if there is a file or it cannot be made."""

    def restore(self, place: Path) -> None:
        """Replace all of it by what `backup` wrote, while it is used; InputError if that is damaged or something else.

        Whoever reads meanwhile gets what was there before, or what is there afterwards.
        """

    def check(self) -> Iterator[str]:
        """Yield what is damaged, in words; nothing if all is well."""

    def sweep(self) -> None:
        """Let go of what is left of private sessions that are over and of what was deleted; called now and then."""

    def close(self) -> None:
        """Release the resources. Nothing can be asked afterwards; closing twice is no error."""
