"""Accounts and their tokens in SQLite.

An app password has to be readable: Subsonic and Audioscrobbler clients send a digest of it with a salt of their own.
"""

import hmac
import sqlite3
from collections.abc import Callable
from typing import Any

from crossfade.stores.live import USUAL_SCOPES, Account, Scope, Token, now, require_user
from crossfade.stores.live_database import DELETIONS, REVISION, Database, counter, next_counter
from crossfade.stores.live_rules import (
    DAY,
    digest_of,
    is_over,
    new_token,
    no_account,
    no_token,
    require_room_for_token,
    token_id_of,
)

_COLUMNS = "id, user, password IS NOT NULL, scopes, label, created_at, used_at"


class AccountTables:
    """Implements `crossfade.stores.live_contract.Accounts`."""

    _database: Database

    def add_user(self, user: str) -> Account:
        require_user(user)

        def add(connection: sqlite3.Connection) -> Account:
            if connection.execute("SELECT 1 FROM users WHERE user = ?", (user,)).fetchone() is None:
                revision = counter(connection, REVISION)
                connection.execute("INSERT INTO users VALUES (?, ?, ?)", (user, now(), revision))
            return _account(connection, user)

        return self._database.write(add)

    def account(self, user: str) -> Account:
        with self._database.reading() as connection:
            return _account(connection, user)

    def accounts(self) -> list[Account]:
        with self._database.reading() as connection:
            rows = connection.execute("SELECT user, created_at, revision FROM users ORDER BY user")
            return [Account(user=user, created_at=created, revision=revision) for user, created, revision in rows]

    def remove_user(self, user: str) -> None:
        def delete(connection: sqlite3.Connection) -> None:
            _account(connection, user)
            connection.execute("DELETE FROM users WHERE user = ?", (user,))
            for name in (REVISION, DELETIONS):
                next_counter(connection, name)
            self._database.erase()

        self._database.write(delete)

    def add_token(
        self, user: str, *, label: str = "", scopes: frozenset[Scope] = USUAL_SCOPES, password: bool = False
    ) -> tuple[Token, str]:
        token, secret, in_clear, digest = new_token(user, label, scopes, password)

        def add(connection: sqlite3.Connection) -> None:
            _account(connection, user)
            number = connection.execute("SELECT count(*) FROM tokens WHERE user = ?", (user,)).fetchone()[0]
            require_room_for_token(user, number)
            connection.execute(
                "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                (token.id, user, in_clear, digest, " ".join(sorted(scopes)), label, token.created_at),
            )

        self._database.write(add)
        return token, secret

    def tokens(self, user: str | None = None) -> list[Token]:
        with self._database.reading() as connection:
            if user is not None:
                _account(connection, user)
            rows = connection.execute(
                f"SELECT {_COLUMNS} FROM tokens WHERE ?1 IS NULL OR user = ?1 ORDER BY user, created_at, id",  # noqa: S608
                (user,),
            )
            return [_token(row) for row in rows]

    def revoke(self, token_id: str) -> None:
        def delete(connection: sqlite3.Connection) -> None:
            if not connection.execute("DELETE FROM tokens WHERE id = ?", (token_id,)).rowcount:
                raise no_token(token_id)
            self._database.erase()

        self._database.write(delete)

    def authenticate(self, secret: str) -> Token | None:
        with self._database.reading() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS}, digest FROM tokens WHERE id = ? AND digest IS NOT NULL",  # noqa: S608
                (token_id_of(secret),),
            ).fetchone()
        if not hmac.compare_digest(digest_of(secret), b"" if row is None else row[-1]):
            return None
        token = _token(row[:-1])
        return None if is_over(token) else self._used(token)

    def authenticate_password(self, user: str, accepts: Callable[[str], bool]) -> Token | None:
        with self._database.reading() as connection:
            rows = connection.execute(
                f"SELECT {_COLUMNS}, password FROM tokens "  # noqa: S608
                "WHERE user = ? AND password IS NOT NULL ORDER BY created_at",
                (user,),
            ).fetchall()
        for *row, password in rows:
            if accepts(password):
                return self._used(_token(tuple(row)))
        return None

    def _used(self, token: Token) -> Token:
        """Note the day of use, once a day."""
        today = now() // DAY * DAY
        if token.used_at != today:
            self._database.hand_in(
                lambda connection: connection.execute("UPDATE tokens SET used_at = ? WHERE id = ?", (today, token.id))
            )
        return token


def require_account(connection: sqlite3.Connection, user: str) -> None:
    """Raise UnknownIdError unless ``user`` has an account."""
    _account(connection, user)


def rows_of(database: Database, user: str, statement: str, values: Any) -> list[tuple[Any, ...]]:
    """Return what a ``statement`` reads of ``user``; UnknownIdError without an account."""
    with database.reading() as connection:
        _account(connection, user)
        return connection.execute(statement, values).fetchall()


def changed(connection: sqlite3.Connection, user: str) -> None:
    """Give the account of ``user`` its next revision."""
    connection.execute("UPDATE users SET revision = ? WHERE user = ?", (next_counter(connection, REVISION), user))


def _account(connection: sqlite3.Connection, user: str) -> Account:
    row = connection.execute("SELECT created_at, revision FROM users WHERE user = ?", (user,)).fetchone()
    if row is None:
        raise no_account(user)
    return Account(user=user, created_at=row[0], revision=row[1])


def _token(row: tuple[Any, ...]) -> Token:
    token_id, user, password, scopes, label, created_at, used_at = row
    return Token(
        id=token_id,
        user=user,
        password=bool(password),
        scopes=frozenset(scopes.split()),
        label=label,
        created_at=created_at,
        used_at=used_at,
    )
