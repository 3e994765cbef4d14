import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from app.access.oidc.id_token import key_id, verified
from app.errors import SignInRefused

ISSUER, CLIENT, NONCE = "https://id.example.org", "arcid", "a nonce"
RSA, OTHER_RSA = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
EC = ec.generate_private_key(ec.SECP256R1())
RSA_JWK = RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True)
EC_JWK = ECAlgorithm.to_jwk(EC.public_key(), as_dict=True)


def claims(**changes):
    now = int(time.time())
    made = {"iss": ISSUER, "sub": "ada", "aud": CLIENT, "exp": now + 300, "iat": now, "nonce": NONCE, **changes}
    return {name: value for name, value in made.items() if value is not None}


def token(key=RSA, algorithm="RS256", **changes):
    return jwt.encode(claims(**changes), key, algorithm, headers={"kid": "k1"})


def check(token, key=RSA_JWK):
    return verified(token, key, issuer=ISSUER, client_id=CLIENT, nonce=NONCE)


def test_a_valid_token_gives_its_claims():
    assert check(token())["sub"] == "ada"
    assert check(token(EC, "ES256"), EC_JWK)["sub"] == "ada"
    assert check(token(aud=[CLIENT, "other"], azp=CLIENT))["sub"] == "ada"
    assert key_id(token()) == "k1"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://other.example.org"},
        {"iss": f"{ISSUER}/"},
        {"aud": "other"},
        {"aud": [CLIENT, "other"]},
        {"aud": [CLIENT, "other"], "azp": "other"},
        {"exp": 1_000_000_000},
        {"iat": int(time.time()) + 86_400},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"exp": None},
        {"iat": None},
        {"aud": None},
    ],
)
def test_a_token_of_another_sign_in_is_refused(changes):
    with pytest.raises(SignInRefused):
        check(token(**changes))


def test_only_the_providers_signature_counts():
    for forged in (
        token(OTHER_RSA),
        token("x" * 64, "HS256"),
        jwt.encode(claims(), "", "none"),
        token()[:-8] + "AAAAAAAA",
        token(EC, "ES256"),
    ):
        with pytest.raises(SignInRefused):
            check(forged)
    with pytest.raises(SignInRefused, match="unusable type"):
        check(token("x" * 64, "HS256"), {"kty": "oct", "k": "eHh4eHh4eHg"})


@pytest.mark.parametrize("text", ["", "a.b.c", "not a token", "\x00"])
def test_a_damaged_token_is_refused(text):
    with pytest.raises(SignInRefused):
        key_id(text)
