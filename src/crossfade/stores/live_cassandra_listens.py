"""Listens, what is playing, and private sessions in Cassandra.

The row of a listen has its second and its id as key, so that listens are in the order of time, and the same one is the
same row. Cassandra compares seconds, artists and contexts; whatever else is asked for is compared here.
"""

import itertools
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from crossfade.stores.live import ALL, Account, Listen, NowPlaying, Which, folded, now, require_time
from crossfade.stores.live_cassandra_database import (
    CHANGES,
    DELETIONS,
    MOST_ROWS,
    PART,
    Change,
    Header,
    LiveDatabase,
    Row,
    Statement,
    in_parts,
)
from crossfade.stores.live_private import Session, Shelf
from crossfade.stores.live_rows import read, written
from crossfade.stores.live_rules import LONGEST_PRIVATE, artist_of, is_private, longest, words_of

LISTEN, PLAYING, PRIVATE, PLAYLIST = "listen", "playing", "private", "playlist"

CLOCKS_DIFFER = 60
"""Seconds for which what has been played stays, for servers whose clocks are late."""

_LONGEST_PLAYING = 86_400  # seconds


@dataclass(frozen=True)
class _Found:
    """A row of a listen."""

    at: int
    key: str
    body: bytes

    @property
    def listen(self) -> Listen:
        return read(Listen, self.body)


class ListenTables:
    """Implements `crossfade.stores.live_contract.Listening`."""

    _database: LiveDatabase
    _shelf: Shelf

    def add_listens(self, listens: Sequence[Listen]) -> int:
        self._database.require_open()
        received = now()
        of_user: dict[str, list[Listen]] = {}
        for listen in {listen.id: listen for listen in listens}.values():
            of_user.setdefault(listen.user, []).append(replace(listen, received_at=received))
        if len(of_user) > 1:
            for user in of_user:
                self._database.header(user)
        return sum(
            self._database.change(user, partial(self._added, user, part))
            for user, theirs in of_user.items()
            for part in in_parts(theirs, lambda one: len(written(one)))
        )

    @abstractmethod
    def accounts(self) -> list[Account]:
        """Return all accounts, as `crossfade.stores.live_contract.Accounts` does."""

    def listens(
        self, user: str, which: Which = ALL, *, limit: int, offset: int = 0, oldest_first: bool = False
    ) -> list[Listen]:
        found = self._found(user, which, oldest_first=oldest_first, page=min(limit + offset + 1, PART))
        seconds = (list(second) for _, second in itertools.groupby(found, key=lambda row: row.at))
        ordered = itertools.chain.from_iterable(_by_time(second, oldest_first) for second in seconds)
        listed = list(itertools.islice(ordered, offset, offset + limit))
        if not listed:
            self._database.header(user)
        return listed

    def count_listens(self, user: str, which: Which = ALL) -> int:
        if _is_compared_here(which):
            count = sum(1 for _ in self._found(user, which))
        else:
            where, values = _where(user, which)
            counting = f"SELECT count(*) FROM live WHERE {where} {_filtering(which)}"  # noqa: S608
            ((count,),) = self._database.rows(counting, *values)
        if not count:
            self._database.header(user)
        return int(count)

    def delete_listens(self, user: str, which: Which) -> int:
        deleted, counted = 0, False

        def delete(header: Header) -> Change[tuple[int, bool, list[Statement]]]:
            nonlocal counted
            count, statements, is_all = self._deleted(user, which)
            if not count:
                return Change((0, True, []))
            if not counted:
                # A playlist that is made of them is refused from now on, before they are gone.
                self._database.deleted()
                counted = True
            made = [key for key, of in self._database.within(user, PLAYLIST, "key, number") if of is not None]
            playing = self._database.within(user, PLAYING, "key, body")
            ended = [key for key, body in playing if read(NowPlaying, body).ends_at <= now()]
            statements += [Row.remove(user, PLAYLIST, key) for key in made]
            statements += [Row.remove(user, PLAYING, key) for key in ended]
            return Change((count, is_all, self._database.claims(PLAYLIST, made)), statements, taste=True)

        is_all = False
        while not is_all:
            count, is_all, claims = self._database.change(user, delete)
            deleted += count
            self._database.carry_out(claims)
        if deleted:
            # What was remembered while they were being deleted is forgotten too.
            self._database.deleted()
            self._shelf.remove_stale(self.deletions())
        return deleted

    def every_listen(self) -> Iterator[Listen]:
        for account in self.accounts():
            for row in self._found(account.user, ALL, oldest_first=True):
                yield row.listen

    def deletions(self) -> int:
        return self._database.counter(DELETIONS)

    def changes(self) -> int:
        return self._database.counter(CHANGES)

    def set_now_playing(self, playing: NowPlaying) -> None:
        user = playing.user
        lasts = min(max(0, playing.ends_at - playing.started_at) // 1000, _LONGEST_PLAYING) + CLOCKS_DIFFER

        def put(header: Header) -> Change[None]:
            if header.session(user) is not None:
                return Change(None)
            self._database.rows("INSERT INTO live_players (user) VALUES (?) USING TTL ?", user, lasts)
            row = Row(PLAYING, 0, playing.player, written(playing))
            return Change(None, [row.put(user, lasts)])

        self._database.change(user, put)

    def now_playing(self, user: str | None = None, *, at: int) -> list[NowPlaying]:
        if user is not None:
            bodies = self._database.of(user, PLAYING)
        else:
            players = list(self._database.stream("SELECT user FROM live_players"))
            asked = "SELECT body FROM live WHERE user = ? AND sort = ?"
            found = self._database.every([(asked, (one, PLAYING)) for (one,) in players])
            bodies = list(itertools.chain.from_iterable(found))
        playing = [one for one in (read(NowPlaying, body) for (body,) in bodies) if one.ends_at > at]
        return sorted(playing, key=lambda one: (-one.started_at, one.user, one.player))

    def stop_playing(self, user: str, player: str = "") -> None:
        self._database.change(user, lambda header: Change(None, [Row.remove(user, PLAYING, player)]))

    def start_private(self, user: str, until: int) -> None:
        require_time(until)

        def start(header: Header) -> Change[None]:
            session = header.session(user)
            since = now() if session is None else session.since
            ends = min(until, now() + LONGEST_PRIVATE)
            statements = [
                Row(PRIVATE, since, "", number=ends).put(user),
                ("DELETE FROM live WHERE user = ? AND sort = ?", (user, PLAYING)),
            ]
            return Change(None, statements, header={"private_since": since, "private_until": ends})

        self._database.change(user, start)

    def end_private(self, user: str) -> None:
        def end(header: Header) -> Change[Session | None]:
            session, ends = header.session(user), now()
            if session is None:
                return Change(None)
            statement = Row(PRIVATE, session.since, "", number=ends).put(user)
            return Change(session, [statement], header={"private_until": ends})

        session = self._database.change(user, end)
        if session is not None:
            self._shelf.end(session)

    def private_until(self, user: str, *, at: int) -> int | None:
        until = self._database.header(user).private_until
        return until if until > at else None

    def _added(self, user: str, listens: Sequence[Listen], header: Header) -> Change[int]:
        """Return what keeps those of ``listens`` that are new and not private."""
        spans = [(header.private_since, header.private_until)]
        if header.private_until:
            first = min(listen.listened_at for listen in listens)
            last = max(listen.listened_at + longest(listen) for listen in listens)
            asked = "SELECT at, number FROM live WHERE user = ? AND sort = ? AND at < ? AND number > ? ALLOW FILTERING"
            spans += self._database.rows(asked, user, PRIVATE, last, first)
        rows = {row.key: row for row in (row_of(one) for one in listens if not is_private(one, spans))}
        asked = "SELECT key FROM live WHERE user = ? AND sort = ? AND (at, key) IN ?"
        known = self._database.rows(asked, user, LISTEN, [(row.at, row.key) for row in rows.values()]) if rows else []
        for (key,) in known:
            del rows[key]
        return Change(len(rows), [row.put(user) for row in rows.values()], taste=True) if rows else Change(0)

    def _deleted(self, user: str, which: Which) -> tuple[int, list[Statement], bool]:
        """Return how many listens to delete in one transaction, what deletes them, and whether these are all."""
        if which == Which(since=which.since, until=which.until) and not _is_compared_here(which):
            # By one mark for all of them, however many they are.
            where, values = _where(user, which)
            ((count,),) = self._database.rows(f"SELECT count(*) FROM live WHERE {where}", *values)  # noqa: S608
            return int(count), [(f"DELETE FROM live WHERE {where}", values)], True  # noqa: S608
        found = list(itertools.islice(self._found(user, which), MOST_ROWS))
        return len(found), [Row.remove(user, LISTEN, one.key, one.at) for one in found], len(found) < MOST_ROWS

    def _found(self, user: str, which: Which, *, oldest_first: bool = False, page: int = PART) -> Iterator[_Found]:
        """Yield the rows of the listens that are meant, by their seconds; those of one second in any order."""
        where, values = _where(user, which)
        order = "sort DESC, at ASC, key DESC" if oldest_first else "sort ASC, at DESC, key ASC"
        ids = None if which.ids is None else set(which.ids)
        text = None if which.text is None else folded(which.text)
        rows = self._database.stream(
            f"SELECT at, key, body, words FROM live WHERE {where} "  # noqa: S608
            f"ORDER BY {order} {_filtering(which)}",
            *values,
            page=PART if _is_compared_here(which) else page,
        )
        for at, key, body, words in rows:
            if (ids is None or key in ids) and (text is None or text in (words or "")):
                found = _Found(at, key, body)
                if _has_whole_seconds(which) or _is_within(which, found.listen.listened_at):
                    yield found


def row_of(listen: Listen) -> Row:
    """Return the row of a listen."""
    return Row(
        LISTEN,
        listen.listened_at // 1000,
        listen.id,
        written(listen),
        artist=artist_of(listen),
        words=words_of(listen),
        context=listen.context,
    )


def _by_time(rows: Sequence[_Found], oldest_first: bool) -> list[Listen]:
    """Return the listens of one second by the time of each; of one time, those that arrived earlier are older."""
    listens = [row.listen for row in rows]
    return sorted(listens, key=lambda one: (one.listened_at, one.received_at, one.id), reverse=not oldest_first)


def _where(user: str, which: Which) -> tuple[str, list[object]]:
    """Return the conditions that Cassandra can compare, and their values."""
    compared: list[tuple[str, object]] = [("user = ?", user), ("sort = ?", LISTEN)]
    if which.since is not None:
        compared.append(("at >= ?", which.since // 1000))
    if which.until is not None:
        compared.append(("at <= ?", (which.until - 1) // 1000))
    if which.artist is not None:
        compared.append(("artist = ?", folded(which.artist)))
    if which.context is not None:
        compared.append(("context = ?", which.context))
    return " AND ".join(condition for condition, _ in compared), [value for _, value in compared]


def _filtering(which: Which) -> str:
    return "" if which.artist is None and which.context is None else "ALLOW FILTERING"


def _is_compared_here(which: Which) -> bool:
    """Return whether Cassandra cannot compare all that is asked for."""
    return which.ids is not None or which.text is not None or not _has_whole_seconds(which)


def _has_whole_seconds(which: Which) -> bool:
    return not any((time or 0) % 1000 for time in (which.since, which.until))


def _is_within(which: Which, time: int) -> bool:
    return (which.since is None or time >= which.since) and (which.until is None or time < which.until)
