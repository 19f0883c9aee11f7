"""Fixtures: one server for most tests, an account of its own for each, servers with settings."""
import itertools
import tempfile

import pytest

from server import DOMAIN, Server

names = itertools.count(1)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with Server(tmp_path_factory.mktemp("postane")) as running:
        yield running


@pytest.fixture
def account(server):
    """The address of an account nobody else uses."""
    return server.add_account(f"user{next(names)}@{DOMAIN}")


@pytest.fixture
def second_account(server):
    return server.add_account(f"user{next(names)}@{DOMAIN}")


@pytest.fixture
def make_server():
    """make_server(settings) -> a server that is not started yet. Its path is short: unix sockets
    allow 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="postane-") as folder:
        def make(settings=None, **options):
            return Server(folder, settings, **options)
        yield make
