"""Accounts and their tokens in SQLite.

The secret of a token is random, so its SHA-256 digest cannot be reversed by guessing, and needs no slow hash. An app
password has to be readable: Subsonic and Audioscrobbler clients send a digest of it with a salt of their own.
"""

import hashlib
import hmac
import secrets
import sqlite3
from collections.abc import Callable
from typing import Any

from crossfade.core.errors import InputError, UnknownIdError
from crossfade.stores.live import (
    ENTRANCE,
    ENTRANCE_LASTS,
    SCOPES,
    USUAL_SCOPES,
    Account,
    Scope,
    Token,
    now,
    require_texts,
    require_user,
)
from crossfade.stores.live_database import DELETIONS, REVISION, Database, counter, next_counter

MOST_TOKENS = 100
"""Tokens of one user: a client that makes a new one each time must not fill the disk."""

_PREFIX = "cf"  # by which people and scanners of leaked secrets recognise one
_DAY = 86_400_000
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
        require_texts("A label", label)
        if not scopes or not scopes <= SCOPES.keys():
            raise InputError(f"A token has one or more of the scopes {', '.join(SCOPES)}.")
        if password and "admin" in scopes:
            raise InputError("An app password cannot have the scope admin, since it is kept in the clear.")
        token_id = secrets.token_hex(6)
        # People type app passwords on phones and televisions; each has 99 random bits.
        typed = "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(20))
        secret = typed if password else f"{_PREFIX}_{token_id}_{secrets.token_hex(20)}"

        def add(connection: sqlite3.Connection) -> Token:
            _account(connection, user)
            number = connection.execute("SELECT count(*) FROM tokens WHERE user = ?", (user,)).fetchone()[0]
            if number >= MOST_TOKENS:
                raise InputError(f"{user} has {number} tokens, the most of one user. Revoke some first.")
            token = Token(
                id=token_id, user=user, password=password, scopes=frozenset(scopes), label=label, created_at=now()
            )
            connection.execute(
                "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                (
                    token_id,
                    user,
                    secret if password else None,
                    None if password else _digest(secret),
                    " ".join(sorted(scopes)),
                    label,
                    token.created_at,
                ),
            )
            return token

        return self._database.write(add), secret

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
                raise UnknownIdError(f"There is no token {token_id!r}. `crossfade tokens` lists them.")
            self._database.erase()

        self._database.write(delete)

    def authenticate(self, secret: str) -> Token | None:
        token_id = secret.split("_")[1] if secret.isascii() and secret.count("_") == 2 else ""
        with self._database.reading() as connection:
            row = connection.execute(
                f"SELECT {_COLUMNS}, digest FROM tokens WHERE id = ? AND digest IS NOT NULL",  # noqa: S608
                (token_id,),
            ).fetchone()
        if not hmac.compare_digest(_digest(secret), b"" if row is None else row[-1]):
            return None
        token = _token(row[:-1])
        is_over = token.label == ENTRANCE and now() > token.created_at + ENTRANCE_LASTS
        return None if is_over else self._used(token)

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
        today = now() // _DAY * _DAY
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
        raise UnknownIdError(f"There is no account of {user!r}. Make one with `crossfade users add`.")
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


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()
