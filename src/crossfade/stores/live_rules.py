"""What every store of the live state decides in the same way: limits, secrets, and which listens are private."""

import hashlib
import secrets
from collections.abc import Iterable
from typing import NamedTuple

from crossfade.core.errors import InputError, UnknownIdError
from crossfade.stores.live import (
    ENTRANCE,
    ENTRANCE_LASTS,
    MOST_EXCLUSIONS,
    MOST_KEPT,
    SCOPES,
    ChangedError,
    Listen,
    Playlist,
    Scope,
    Station,
    Token,
    folded,
    now,
    require_texts,
)

MOST_TOKENS = 100
"""Tokens of one user: a client that makes a new one each time must not fill the disk."""

UNKNOWN_LENGTH = 600_000
"""Milliseconds that a listen of unknown length may have lasted: it may have reached into a private session."""

LONGEST_PRIVATE = 24 * 3_600_000
"""Milliseconds: a private session that was left on ends after a day."""

DAY = 86_400_000
"""Milliseconds. The use of a token is noted once a day."""

_PREFIX = "cf"  # by which people and scanners of leaked secrets recognise one


class NewToken(NamedTuple):
    """A token and its secret, of which a store keeps one of two things.

    password  the secret itself, of an app password
    digest    what `digest_of` gives, of any other token
    """

    token: Token
    secret: str
    password: str | None
    digest: bytes | None


def new_token(user: str, label: str, scopes: frozenset[Scope], password: bool) -> NewToken:
    """Return a new token, or a new app password; InputError for a label or scopes that it cannot have."""
    require_texts("A label", label)
    if not scopes or not scopes <= SCOPES.keys():
        raise InputError(f"A token has one or more of the scopes {', '.join(SCOPES)}.")
    if password and "admin" in scopes:
        raise InputError("An app password cannot have the scope admin, since it is kept in the clear.")
    token_id = secrets.token_hex(6)
    token = Token(id=token_id, user=user, password=password, scopes=frozenset(scopes), label=label, created_at=now())
    if password:
        # People type app passwords on phones and televisions; each has 99 random bits.
        typed = "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(20))
        return NewToken(token, typed, typed, None)
    secret = f"{_PREFIX}_{token_id}_{secrets.token_hex(20)}"
    return NewToken(token, secret, None, digest_of(secret))


def digest_of(secret: str) -> bytes:
    """Return the SHA-256 digest of a secret. A secret is random, so it cannot be guessed from a fast digest either."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def token_id_of(secret: str) -> str:
    """Return the id of the token that ``secret`` would be of; "" if it cannot be of one."""
    return secret.split("_")[1] if secret.isascii() and secret.count("_") == 2 else ""


def is_over(token: Token) -> bool:
    """Return whether a token has ended by itself."""
    return token.label == ENTRANCE and now() > token.created_at + ENTRANCE_LASTS


def is_private(listen: Listen, spans: Iterable[tuple[int, int]]) -> bool:
    """Return whether a listen overlaps one of the private ``spans``."""
    lasted = longest(listen)
    return any(listen.listened_at < until and listen.listened_at + lasted > since for since, until in spans)


def longest(listen: Listen) -> int:
    """Return for how many milliseconds a listen may have lasted."""
    return listen.ms_played or listen.track.duration_ms or UNKNOWN_LENGTH


def artist_of(listen: Listen) -> str:
    """Return what a listen is found by if an artist is asked for."""
    return folded(listen.track.artist or "")


def words_of(listen: Listen) -> str:
    """Return what has the words by which a listen is found."""
    track = listen.track
    return "\x1f".join(folded(name) for name in (track.title, track.artist, track.album) if name)


def require_few_blocks(user: str, count: int) -> None:
    """Raise InputError if a user has more blocks than are kept."""
    _require_at_most(user, count, MOST_KEPT, "blocks")


def require_few_exclusions(user: str, count: int) -> None:
    """Raise InputError if a user has more exclusions than are kept."""
    _require_at_most(user, count, MOST_EXCLUSIONS, "exclusions")


def require_room_for_token(user: str, count: int) -> None:
    """Raise InputError if a user who has ``count`` tokens gets no other."""
    if count >= MOST_TOKENS:
        raise InputError(f"{user} has {count} tokens, the most of one user. Revoke some first.")


def require_room_for(of: type, user: str, count: int) -> None:
    """Raise InputError if a user who has ``count`` stations or playlists gets no other."""
    if count >= MOST_KEPT:
        raise InputError(f"{user} has {count:,} {of.__name__.lower()}s, the most of one user. Delete some first.")


def require_unchanged(thing: Station | Playlist, before: Station | Playlist | None) -> None:
    """Raise ChangedError unless ``thing`` was made from ``before``, what is kept; None where nothing is."""
    if (thing.user, thing.revision) != ((thing.user, 0) if before is None else (before.user, before.revision)):
        raise ChangedError(f"{thing.id!r} was changed by somebody else. Read it again, and repeat the change.")


def require_made_since(thing: Station | Playlist, deletions: int) -> None:
    """Raise ChangedError if ``thing`` is made of listens and was made before the last of so many ``deletions``."""
    if isinstance(thing, Playlist) and thing.of_listens not in (None, deletions):
        raise ChangedError("Listens were deleted since the playlist was made of them. Make it again.")


def no_account(user: str) -> UnknownIdError:
    """Return the error for a user without an account."""
    return UnknownIdError(f"There is no account of {user!r}. Make one with `crossfade users add`.")


def no_token(token_id: str) -> UnknownIdError:
    """Return the error for a token that does not exist."""
    return UnknownIdError(f"There is no token {token_id!r}. `crossfade tokens` lists them.")


def no_such(of: type, thing_id: str) -> UnknownIdError:
    """Return the error for a station or a playlist that does not exist."""
    return UnknownIdError(f"There is no {of.__name__.lower()} {thing_id!r}.")


def _require_at_most(user: str, count: int, most: int, what: str) -> None:
    if count > most:
        raise InputError(f"{user} has {most:,} {what}, the most of one user. Undo some first.")
