"""AES-256-GCM encryption of personal data: templates, crops, snapshots. Pure: keys and bytes in, bytes out.

A sealed text is `version (1 byte), id of its data key (8, big-endian), nonce (12), ciphertext, tag (16)`. The context
(kind and owner) is associated data, so a sealed text that was moved to another place does not open. Version 1 binds the
kind and one id. Version 2 also binds the owner, so a row that was assigned to another person does not open either.
"""

import base64
import binascii
import hashlib
import json
import os
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from app.errors import MasterKeyInvalid, SealBroken

KEY_BYTES: Final = 32
VERSION: Final = 1
BOUND_VERSION: Final = 2
_ID_BYTES, _NONCE_BYTES, _TAG_BYTES = 8, 12, 16
_HEAD = 1 + _ID_BYTES
OVERHEAD: Final = _HEAD + _NONCE_BYTES + _TAG_BYTES
"""The number of bytes that sealing adds."""


@dataclass(frozen=True, slots=True)
class Context:
    """The context of a sealed text: its kind ("template", "crop", "segment") and the id of the row it belongs to.

    With an `owner` (of a template: identity, collection, model), the text is sealed in version 2, for that owner only.
    """

    kind: str
    of: str
    owner: tuple[str, ...] = ()

    def encoded(self, head: bytes) -> bytes:
        """Return the associated data, which includes the head of the sealed text."""
        if head[0] == BOUND_VERSION:
            return head + json.dumps([self.kind, self.of, *self.owner]).encode()
        return b"\0".join((head, self.kind.encode(), self.of.encode()))


class Sealed(NamedTuple):
    """Sealed bytes and the id of their data key; without an id the bytes are plain."""

    data: bytes
    data_key_id: int | None


class Sealer(Protocol):
    """Encrypts crops and the files of index snapshots with the newest data key."""

    def newest(self) -> int:
        """Return the id of the data key in use, or 0."""

    def seal_file(self, context: Context, data: bytes) -> Sealed:
        """Return `data` encrypted and authenticated for this context."""

    def open_file(self, context: Context, sealed: bytes) -> bytes:
        """Return the opened bytes; raises EncryptionError if they were not sealed in this context."""


class Key:
    """A data key of 32 bytes with an id. It may seal 2**32 texts (random nonces, NIST SP 800-38D)."""

    def __init__(self, key_id: int, secret: bytes) -> None:
        """Raise MasterKeyInvalid if the secret does not have 32 bytes."""
        if len(secret) != KEY_BYTES:
            raise MasterKeyInvalid(f"a key has {KEY_BYTES} bytes, not {len(secret)}")
        self.key_id = key_id
        self._aes = AESGCM(secret)

    def seal(self, context: Context, data: bytes) -> bytes:
        """Seal `data`, bound to the context's owner if it has one."""
        head = bytes([BOUND_VERSION if context.owner else VERSION]) + self.key_id.to_bytes(_ID_BYTES, "big")
        nonce = os.urandom(_NONCE_BYTES)
        return b"".join((head, nonce, self._aes.encrypt(nonce, data, context.encoded(head))))

    def open(self, context: Context, sealed: bytes) -> bytes:
        """Open a text; raises SealBroken if this key did not seal it in this context."""
        if key_id_of(sealed) != self.key_id:
            raise SealBroken(f"the {context.kind} is sealed with another key")
        nonce, text = sealed[_HEAD : _HEAD + _NONCE_BYTES], sealed[_HEAD + _NONCE_BYTES :]
        try:
            return self._aes.decrypt(nonce, text, context.encoded(sealed[:_HEAD]))
        except InvalidTag as error:
            raise SealBroken(f"the {context.kind} was changed, or belongs to another row") from error


def key_id_of(sealed: bytes) -> int:
    """Return the id of a sealed text's key; raises SealBroken if the text is not sealed."""
    if len(sealed) < OVERHEAD or sealed[0] not in {VERSION, BOUND_VERSION}:
        raise SealBroken("these bytes are not sealed")
    return int.from_bytes(sealed[1:_HEAD], "big")


def is_bound(sealed: bytes) -> bool:
    """Return whether a sealed text is bound to an owner."""
    return sealed[:1] == bytes([BOUND_VERSION])


class Master:
    """The master key, which wraps data keys. `fingerprint` identifies it without revealing it."""

    def __init__(self, secret: bytes) -> None:
        """Raise MasterKeyInvalid if the secret does not have 32 bytes."""
        self._key = Key(0, secret)
        self.fingerprint = hashlib.sha256(b"arcid master key" + secret).hexdigest()[:16]

    def wrap(self, key_id: int, secret: bytes, *, is_closing: bool = False) -> bytes:
        """Wrap a data key's secret. `is_closing`: from this key on, the database accepts bound texts only."""
        return self._key.seal(_of_key(key_id, is_closing=is_closing), secret)

    def unwrap(self, key_id: int, wrapped: bytes) -> Key:
        """Unwrap a data key; raises SealBroken if another master key wrapped it."""
        return Key(key_id, self._opened(key_id, wrapped))

    def rewrapped(
        self, key_id: int, wrapped: bytes, master: "Master | None" = None, *, is_closing: bool | None = None
    ) -> bytes:
        """Wrap a data key again, by another master key or as a closing one; raises SealBroken.

        Args:
            key_id: Id of the data key.
            wrapped: The data key as it is wrapped now.
            master: The other master key; None for this one.
            is_closing: Whether the key closes the database; None leaves this unchanged.
        """
        is_closing = is_bound(wrapped) if is_closing is None else is_closing
        return (master or self).wrap(key_id, self._opened(key_id, wrapped), is_closing=is_closing)

    def _opened(self, key_id: int, wrapped: bytes) -> bytes:
        return self._key.open(_of_key(key_id, is_closing=is_bound(wrapped)), wrapped)


def _of_key(key_id: int, *, is_closing: bool) -> Context:
    return Context("data key", str(key_id), ("closing",) if is_closing else ())


def new_secret() -> bytes:
    """Return the bytes of a new random key."""
    return os.urandom(KEY_BYTES)


def encoded(secret: bytes) -> str:
    """Return a key in base64, as in settings and key files."""
    return base64.b64encode(secret).decode()


def decoded(text: str) -> bytes:
    """Decode a key from base64; raises MasterKeyInvalid, whose message does not contain the text."""
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MasterKeyInvalid("the master key is not base64; make one: arcid keys new-master FILE") from error
    if len(secret) != KEY_BYTES:
        raise MasterKeyInvalid(
            f"the master key has {len(secret)} bytes, not {KEY_BYTES}; make one: arcid keys new-master"
        )
    return secret
