"""Sessions of both protocols: keys that any process can check and that end when their app password is revoked.

A key is the user's id and a code that the app password makes of it (HMAC-SHA256), so no table of sessions is kept.
"""

import base64
import binascii
import hmac
from collections.abc import Callable

from crossfade.stores.live import Token
from crossfade.stores.live_contract import LiveState

_PURPOSE = b"crossfade audioscrobbler session of "
_CODE_LETTERS = 40  # 160 bits


def opened(live: LiveState, user: str, accepts: Callable[[str], bool]) -> str | None:
    """Return a session key of ``user``, if ``accepts`` takes one of their app passwords that may submit."""
    keys: list[str] = []

    def taken(secret: str) -> bool:
        if accepts(secret):
            keys.append(_key(user, secret))
        return bool(keys)

    token = live.authenticate_password(user, taken)
    return keys[0] if token is not None and "submit" in token.scopes else None


def holder(live: LiveState, key: str) -> Token | None:
    """Return the app password that a session key was made with; None if it is nobody's, or was revoked."""
    user = _user(key)
    if user is None:
        return None
    return live.authenticate_password(user, lambda secret: same(key, _key(user, secret)))


def same(sent: str, wanted: str) -> bool:
    """Compare in a time that says nothing about where the two differ."""
    return hmac.compare_digest(sent.encode(errors="replace"), wanted.encode())


def _key(user: str, secret: str) -> str:
    code = hmac.new(secret.encode(), _PURPOSE + user.encode(), "sha256").hexdigest()[:_CODE_LETTERS]
    return f"{base64.urlsafe_b64encode(user.encode()).decode().rstrip('=')}.{code}"


def _user(key: str) -> str | None:
    encoded, point, _ = key.partition(".")
    try:
        user = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return user if point and user else None
