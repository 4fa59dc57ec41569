"""Accounts and their tokens in Cassandra: the tokens are in the partition of their user, `live_owners` says whose."""

import contextlib
import hmac
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

from crossfade.core.errors import StorageError
from crossfade.stores.live import (
    ENTRANCE,
    ENTRANCE_LASTS,
    USUAL_SCOPES,
    Account,
    Scope,
    Token,
    now,
    require_user,
)
from crossfade.stores.live_cassandra_database import (
    Change,
    Header,
    LiveDatabase,
    Row,
    Statement,
)
from crossfade.stores.live_rows import read, written
from crossfade.stores.live_rules import (
    DAY,
    digest_of,
    is_over,
    new_token,
    no_token,
    require_room_for_token,
    token_id_of,
)

TOKEN = "token"  # noqa: S105  # the sort of a row

_MOST_REMEMBERED = 100_000  # tokens whose users are in memory

_DISOWNED = "DELETE FROM live_owners WHERE sort = ? AND id = ? IF user = ?"

OWNED = (TOKEN, "station", "playlist")
"""The sorts of rows that are looked for by their ids alone."""

_COLUMNS = "sort, at, key, body, number"


@dataclass(frozen=True, kw_only=True)
class KeptToken:
    """A token as it is kept, with its password or the digest of its secret."""

    token: Token
    password: str | None = None
    digest: bytes = b""

    def row(self) -> Row:
        """Return its row; the day of use is beside the rest, since that changes."""
        token = self.token
        return Row(TOKEN, 0, token.id, written(replace(self, token=replace(token, used_at=None))), token.used_at)

    def put(self) -> Statement:
        """Return the statement that keeps it; one that opens the page once is gone when it has ended."""
        return self.row().put(self.token.user, ENTRANCE_LASTS // 1000 if self.token.label == ENTRANCE else None)

    @classmethod
    def of(cls, row: Row) -> "KeptToken":
        """Return the token that a row has."""
        kept = read(cls, row.body or b"")
        return replace(kept, token=replace(kept.token, used_at=row.number))


class AccountTables:
    """Implements `crossfade.stores.live_contract.Accounts`."""

    _database: LiveDatabase
    _users: dict[str, str]  # by token

    def add_user(self, user: str) -> Account:
        require_user(user)
        while (header := self._database.found(user)) is None:
            # A revision that no earlier account of the same name had.
            began = now()
            self._database.add(user, Header(began, uuid.uuid4(), began * 1000, 0, 0))
        return _account(user, header)

    def account(self, user: str) -> Account:
        return _account(user, self._database.header(user))

    def accounts(self) -> list[Account]:
        rows = self._database.stream("SELECT DISTINCT user, created_at, revision FROM live")
        found = [Account(user=user, created_at=at, revision=revision) for user, at, revision in rows if at is not None]
        return sorted(found, key=lambda account: account.user)

    def remove_user(self, user: str) -> None:
        def before() -> None:
            self._database.deleted()
            # What points at the partition goes first: if that is all that happens, the account can be removed again.
            owned = [(sort, key) for sort in OWNED for (key,) in self._database.within(user, sort, "key")]
            self._database.carry_out([(_DISOWNED, (*one, user)) for one in owned])
            self._database.rows("DELETE FROM live_players WHERE user = ?", user)

        self._database.remove(user, before)
        self._database.deleted()
        self._database.changed()

    def add_token(
        self, user: str, *, label: str = "", scopes: frozenset[Scope] = USUAL_SCOPES, password: bool = False
    ) -> tuple[Token, str]:
        token, secret, in_clear, digest = new_token(user, label, scopes, password)
        kept = KeptToken(token=token, password=in_clear, digest=digest or b"")

        def add(header: Header) -> Change[None]:
            require_room_for_token(user, len(self._database.within(user, TOKEN, "key")))
            self._database.own(TOKEN, token.id, user)
            return Change(None, [kept.put()])

        self._database.change(user, add)
        return token, secret

    def tokens(self, user: str | None = None) -> list[Token]:
        found = [
            KeptToken.of(Row(*row)).token
            for one in ([account.user for account in self.accounts()] if user is None else [user])
            for row in self._database.of(one, TOKEN, _COLUMNS)
        ]
        return sorted(found, key=lambda token: (token.user, token.created_at, token.id))

    def revoke(self, token_id: str) -> None:
        kept = self._kept_token(token_id)
        if kept is None:
            raise no_token(token_id)
        user = kept.token.user

        def delete(header: Header) -> Change[None]:
            if self._kept_token(token_id) is None:
                raise no_token(token_id)
            return Change(None, [Row.remove(user, TOKEN, token_id)])

        self._database.change(user, delete)
        self._database.applied(_DISOWNED, TOKEN, token_id, user)
        self._users.pop(token_id, None)

    def authenticate(self, secret: str) -> Token | None:
        token_id = token_id_of(secret)
        kept = self._kept_token(token_id) if token_id else None
        if not hmac.compare_digest(digest_of(secret), b"" if kept is None else kept.digest) or kept is None:
            return None
        return None if is_over(kept.token) else self._used(kept.token)

    def authenticate_password(self, user: str, accepts: Callable[[str], bool]) -> Token | None:
        found = [KeptToken.of(Row(*row)) for row in self._database.within(user, TOKEN, _COLUMNS)]
        for kept in sorted(found, key=lambda kept: kept.token.created_at):
            if kept.password is not None and accepts(kept.password):
                return self._used(kept.token)
        return None

    def _kept_token(self, token_id: str) -> KeptToken | None:
        """Return a token; in one read, where this process has seen it before: a token never changes its user."""
        user = self._users.get(token_id) or self._database.owner(TOKEN, token_id)
        if user is None:
            return None
        if len(self._users) >= _MOST_REMEMBERED:
            self._users.clear()
        self._users[token_id] = user
        asked = f"SELECT {_COLUMNS} FROM live WHERE user = ? AND sort = ? AND at = 0 AND key = ?"  # noqa: S608
        rows = self._database.rows(asked, user, TOKEN, token_id)
        return KeptToken.of(Row(*rows[0])) if rows else None

    def _used(self, token: Token) -> Token:
        """Note the day of use, once a day; a token is good where that cannot be noted."""
        today = now() // DAY * DAY
        if token.used_at != today and token.label != ENTRANCE:
            statement = "UPDATE live SET number = ? WHERE user = ? AND sort = ? AND at = 0 AND key = ? IF EXISTS"
            with contextlib.suppress(StorageError):
                self._database.applied(statement, today, token.user, TOKEN, token.id)
        return token


def _account(user: str, header: Header) -> Account:
    return Account(user=user, created_at=header.created_at, revision=header.revision)
