"""Short-lived signed claims: upload URLs, xorb URLs and Xet tokens, so that no process keeps a session.

The format is a JSON Web Token with HMAC-SHA256; `use` keeps one kind from passing for another.
"""

import hashlib
import hmac
import time
from typing import TypeVar

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from hub.errors import Forbidden, Unauthorized

Claims = TypeVar("Claims", bound=msgspec.Struct)


class Signer:
    """Signs and checks claims with the hub's one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._key = OctKey.import_key(secret)

    def sign(self, claims: msgspec.Struct, age_s: float) -> tuple[str, int]:
        """Return a token for `claims` and the second (since 1970) at which it ends."""
        ends = int(time.time() + age_s)
        content = {**msgspec.to_builtins(claims), "use": type(claims).__name__, "exp": ends}
        return jwt.encode({"alg": "HS256"}, content, self._key), ends

    def read(self, token: str, kind: type[Claims]) -> Claims:
        """Return the claims of a token of this kind; raise Forbidden for any other or an old one."""
        try:
            content = jwt.decode(token, self._key, algorithms=["HS256"]).claims
            if content.get("use") == kind.__name__ and content["exp"] > time.time():
                return msgspec.convert(content, kind)
        except (JoseError, ValueError, KeyError, TypeError):
            pass
        raise Forbidden("This signed URL is not valid, or it has expired. Ask the hub for a new one.")

    def derive(self, label: str) -> str:
        """Return 16 hex digits that only this hub gives to `label`, the same on every start."""
        return hmac.digest(self._secret, label.encode(), hashlib.sha256)[:8].hex()

    def bearer(self, authorization: str | None, kind: type[Claims]) -> Claims:
        """Read claims from an `Authorization: Bearer` header."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized("Send `Authorization: Bearer` with the access token that the hub gave you.")
        return self.read(token.strip(), kind)
