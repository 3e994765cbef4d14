"""Seeded histories of replicas, against the sequential model; `benchmarks/histories.py` runs more of them."""

import os

import pytest

from tests.databases import server_url
from tests.gallery.histories.mutants import MUTANTS, seeds_to_notice
from tests.gallery.histories.runner import histories

SEEDS, AT_ONCE, ON_POSTGRESQL = 120, 40, 10
ONCE_FAILED = (
    3078,  # a rollback overtaken by a migration to the same network
    7730,  # an index emptied while its next kind was built
    9766,  # a face erased between the swap of an index and the end of a save of the previous one
)
QUICK = [each for each in MUTANTS if each.seeds <= 30]


@pytest.fixture(scope="module")
def made():
    with histories() as made:
        yield made


@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_histories_are_linearisable(made, first):
    for seed in range(first, first + AT_ONCE):
        made.run(seed)


@pytest.mark.parametrize("seed", ONCE_FAILED)
def test_histories_that_once_failed(made, seed):
    made.run(seed)


def test_histories_on_postgresql_are_linearisable():
    server_url()  # skips without a server
    with histories(os.environ["TEST_POSTGRES"]) as made:
        for seed in range(ON_POSTGRESQL):
            made.run(seed)


def test_a_seed_replays(made):
    assert str(made.run(7)) == str(made.run(7))


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_mutants_still_apply(mutant):
    with mutant.applied():
        pass


@pytest.mark.parametrize("mutant", QUICK, ids=lambda mutant: mutant.name)
def test_mutants_are_noticed(made, mutant):
    assert seeds_to_notice(made, mutant, mutant.seeds)
