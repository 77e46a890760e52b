"""Sessions on the server, and the links that open them: random, short-lived, kept by their hashes alone."""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from clients.console.base.limits import Bucket, Rate

IDLE = timedelta(minutes=15)
ABSOLUTE = timedelta(hours=8)
LINK_LIFE = timedelta(minutes=2)
MOST_SESSIONS = 16
PAGES = Rate(240, timedelta(minutes=1))
ACTIONS = Rate(30, timedelta(minutes=1))
_TOKEN_BYTES = 32  # 256 bits


@dataclass(slots=True)
class Session:
    """One browser that has been let in; ``kept`` is for the site's own things, and dies with it."""

    opened_at: datetime
    seen_at: datetime
    pages: Bucket
    actions: Bucket
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(_TOKEN_BYTES))
    notices: list[str] = field(default_factory=list)  # told on the next page, then gone
    kept: dict[str, object] = field(default_factory=dict)

    def is_over(self, at: datetime) -> bool:
        """Tell whether it has been idle or open for too long."""
        return at - self.seen_at >= IDLE or at - self.opened_at >= ABSOLUTE

    def owns(self, token: str) -> bool:
        """Tell whether a form's token is this session's, in constant time."""
        return hmac.compare_digest(self.csrf.encode(), token.encode())

    def change_hands(self) -> None:
        """Forget what was kept for whoever was signed in, and the token of the forms that were shown."""
        self.kept.clear()
        self.csrf = secrets.token_urlsafe(_TOKEN_BYTES)


class Sessions:
    """All sessions of a process; a thief of its memory's hashes has no cookie."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Start with none."""
        self._now = now
        self._open: dict[bytes, Session] = {}

    def open(self) -> str:
        """Open a session and return its id, for the cookie; the oldest goes where there are too many."""
        at = self._now()
        self._open = {key: one for key, one in self._open.items() if not one.is_over(at)}
        while len(self._open) >= MOST_SESSIONS:
            del self._open[min(self._open, key=lambda key: self._open[key].seen_at)]
        session_id = secrets.token_urlsafe(_TOKEN_BYTES)
        session = Session(at, at, Bucket(PAGES, self._now), Bucket(ACTIONS, self._now))
        self._open[_hashed(session_id)] = session
        return session_id

    def find(self, session_id: str) -> Session | None:
        """Return a session that is not over, and count it as seen now."""
        at, key = self._now(), _hashed(session_id)
        session = self._open.get(key)
        if session is None:
            return None
        if session.is_over(at):
            del self._open[key]
            return None
        session.seen_at = at
        return session

    def close(self, session_id: str) -> None:
        """End a session, whether there is one or not."""
        self._open.pop(_hashed(session_id), None)


class Links:
    """Links that open the page once, within two minutes."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Start with none."""
        self._now = now
        self._issued: dict[bytes, datetime] = {}

    def issue(self) -> str:
        """Return a fresh token."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._issued[_hashed(token)] = self._now()
        return token

    def redeem(self, token: str) -> bool:
        """Tell whether a token lets in; it never does again."""
        at = self._now()
        issued = self._issued.pop(_hashed(token), None)
        return issued is not None and at - issued < LINK_LIFE


def _hashed(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
