import os

import pytest

from app.database.cipher import OVERHEAD, Context, Key, Master, decoded, encoded, key_id_of, new_secret
from app.errors import MasterKeyInvalid, SealBroken

ADA, BOB = Context("template", "ada-1"), Context("template", "bob-1")


def test_what_was_sealed_opens_again():
    key, data = Key(7, new_secret()), os.urandom(512)
    sealed = key.seal(ADA, data)
    assert key.open(ADA, sealed) == data
    assert (len(sealed), key_id_of(sealed)) == (len(data) + OVERHEAD, 7)
    assert all(data[at : at + 16] not in sealed for at in range(len(data) - 15))
    assert key.seal(ADA, data) != sealed


@pytest.mark.parametrize("context", [BOB, Context("crop", "ada-1"), Context("template\0ada", "-1"), Context("", "")])
def test_it_opens_as_nothing_else(context):
    key = Key(1, new_secret())
    with pytest.raises(SealBroken):
        key.open(context, key.seal(ADA, b"x" * 64))


def test_every_byte_counts():
    key = Key(1, new_secret())
    sealed = key.seal(ADA, b"template")
    for at in range(len(sealed)):
        with pytest.raises(SealBroken):
            key.open(ADA, sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :])
    for cut in (b"", sealed[:-1], sealed[: OVERHEAD - 1], sealed + b"\0"):
        with pytest.raises(SealBroken):
            key.open(ADA, cut)


def test_a_master_key_wraps_and_rewraps():
    one, other, secret = Master(new_secret()), Master(new_secret()), new_secret()
    wrapped = one.wrap(3, secret)
    sealed = one.unwrap(3, wrapped).seal(ADA, b"x")
    assert other.unwrap(3, one.rewrapped(3, wrapped, other)).open(ADA, sealed) == b"x"
    for wrong in (lambda: other.unwrap(3, wrapped), lambda: one.unwrap(4, wrapped)):
        with pytest.raises(SealBroken):
            wrong()


@pytest.mark.parametrize("text", ["", "x", "AAAA", encoded(b"x" * 31), encoded(b"x" * 33), "\u00e9" * 44])
def test_what_is_no_master_key(text):
    with pytest.raises(MasterKeyInvalid) as caught:
        decoded(text)
    assert not text or text not in str(caught.value)


def test_a_key_is_written_and_read():
    secret = new_secret()
    assert decoded(f" {encoded(secret)}\n") == secret
