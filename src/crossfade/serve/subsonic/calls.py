"""A call of Subsonic's API: its parameters, read from the address and from a form, and who makes it."""

import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import parse_qsl

from fastapi import Response

from crossfade.live.music import Music
from crossfade.live.music_folder import MusicFolder
from crossfade.serve.active import ActiveRelease
from crossfade.serve.subsonic.answers import (
    BAD_KEY,
    CONFLICTING,
    FORBIDDEN,
    GENERIC,
    MISSING,
    REFUSED,
    UNSUPPORTED,
    Content,
    Failure,
)
from crossfade.stores.live import Scope, Token
from crossfade.stores.live_contract import LiveState

MOST_PARAMETERS = 11_000  # a playlist of 10,000 songs, and what goes with it
LONGEST_VALUE = 2_000  # letters; no id, name or key is longer
LARGEST_FORM = 1 << 20  # bytes

Parameters: TypeAlias = Mapping[str, list[str]]


@dataclass(frozen=True)
class Library:
    """What one call is answered from.

    folder  None for a library without a music folder
    music   as it was read last when the call came
    """

    live: LiveState
    active: ActiveRelease
    folder: MusicFolder | None
    music: Music


@dataclass(frozen=True)
class Call:
    """One call, with its parameters; each method raises a Failure for a value that cannot be used."""

    parameters: Parameters
    user: str
    scopes: frozenset[Scope]

    @property
    def client(self) -> str:
        """The player's own name."""
        return self.text("c", "")[:100]

    def texts(self, name: str) -> list[str]:
        """Return all values of a parameter that may be repeated."""
        return self.parameters.get(name, [])

    def text(self, name: str, default: str | None = None) -> str:
        """Return a parameter, which is required without a ``default``."""
        return _text(self.parameters, name, default)

    def number(self, name: str, default: int | None = None, *, least: int = 0, most: int = 2**53) -> int:
        """Return a whole number; one above ``most`` counts as ``most``, one below ``least`` is refused."""
        written = self.text(name, "" if default is not None else None)
        return default if not written and default is not None else _number(name, written, least, most)

    def numbers(self, name: str) -> list[int]:
        """Return all values of a parameter as whole numbers."""
        return [_number(name, written, 0, 2**53) for written in self.texts(name)]

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a truth value, which clients write in many ways."""
        written = self.text(name, "").casefold()
        if written in ("true", "1", "yes", "on"):
            return True
        if written in ("false", "0", "no", "off"):
            return False
        if written:
            raise Failure(GENERIC, f"{name} is true or false, not {written[:20]!r}.")
        return default

    def part(self, prefix: str = "", *, size: int = 20) -> slice:
        """Return which part of a list is asked for by ``<prefix>Count`` and ``<prefix>Offset``."""
        first = self.number(f"{prefix}Offset" if prefix else "offset", 0)
        count = self.number(f"{prefix}Count" if prefix else "count", size, most=10_000)
        return slice(first, first + count)


Handler: TypeAlias = Callable[[Library, Call], Content | Response]


def parameters_of(query: bytes, form: bytes) -> Parameters:
    """Return the parameters of the address and of a form together, repeated ones in order."""
    found: dict[str, list[str]] = {}
    for written in (query, form):
        try:
            pairs = parse_qsl(
                written.decode("latin-1"), keep_blank_values=True, errors="replace", max_num_fields=MOST_PARAMETERS
            )
        except ValueError as error:
            raise Failure(GENERIC, f"A call has at most {MOST_PARAMETERS:,} parameters.") from error
        for name, value in pairs:
            found.setdefault(name, []).append(value)
    return found


def require_sound(parameters: Parameters) -> None:
    """Raise a Failure for a value that is too long, or has a NUL."""
    for name, values in parameters.items():
        if any(len(value) > LONGEST_VALUE for value in values):
            raise Failure(GENERIC, f"{name[:40]} is longer than {LONGEST_VALUE:,} letters.")
        if any("\x00" in value for value in values):
            raise Failure(GENERIC, f"{name[:40]} has a NUL character.")


def caller(live: LiveState, parameters: Parameters) -> Token:
    """Return the token or app password that a call is made with; a Failure if there is none."""
    key, user, salted, password = (_text(parameters, name, "") for name in ("apiKey", "u", "t", "p"))
    if key:
        if user or salted or password:
            raise Failure(CONFLICTING, "An API key goes without u, p, t and s.")
        token = live.authenticate(key)
        if token is None:
            raise Failure(BAD_KEY, "The API key is not valid.")
        return token
    if not user:
        raise Failure(MISSING, "Log in with apiKey, or with u, t and s.")
    if salted:
        token = live.authenticate_password(user, _salted(salted, _text(parameters, "s")))
    elif password:
        plain = _plain(password)
        token = live.authenticate_password(user, lambda secret: hmac.compare_digest(secret.encode(), plain.encode()))
        if token is None:
            # A token also serves where a client only has a field for a password.
            token = live.authenticate(plain)
            token = token if token is not None and token.user == user else None
    elif "jwt" in parameters:
        raise Failure(UNSUPPORTED, "That way to log in is not supported.")
    else:
        raise Failure(MISSING, "Log in with apiKey, or with u, t and s.")
    if token is None:
        raise Failure(REFUSED, "Wrong user name or app password. `crossfade tokens` makes app passwords.")
    return token


def require(call: Call, scope: Scope) -> None:
    """Raise a Failure unless the caller may do what ``scope`` allows."""
    if scope not in call.scopes and "admin" not in call.scopes:
        raise Failure(FORBIDDEN, f"This token or app password does not allow to {scope}.")


def _salted(sent: str, salt: str) -> Callable[[str], bool]:
    def accepts(secret: str) -> bool:
        made = hashlib.md5((secret + salt).encode(), usedforsecurity=False).hexdigest()
        return hmac.compare_digest(made.encode(), sent.lower().encode())

    return accepts


def _plain(password: str) -> str:
    if not password.startswith("enc:"):
        return password
    try:
        return binascii.unhexlify(password.removeprefix("enc:")).decode()
    except (binascii.Error, ValueError) as error:
        raise Failure(REFUSED, "The password after enc: is not hexadecimal.") from error


def _text(parameters: Parameters, name: str, default: str | None = None) -> str:
    values = parameters.get(name)
    if values:
        return values[0]
    if default is None:
        raise Failure(MISSING, f"The parameter {name} is missing.")
    return default


def _number(name: str, written: str, least: int, most: int) -> int:
    try:
        number = int(written[:30])
    except ValueError as error:
        raise Failure(GENERIC, f"{name} is a whole number, not {written[:20]!r}.") from error
    if number < least:
        raise Failure(GENERIC, f"{name} is {least} or more, not {number}.")
    return min(number, most)
