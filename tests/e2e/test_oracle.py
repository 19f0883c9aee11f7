"""A short form of tests/oracle: one seed that is always the same, one that never is."""
import os
import sys

import pytest

from server import PASSWORD, ROOT

sys.path.insert(0, str(ROOT / "tests/oracle"))


@pytest.mark.parametrize("seed", [4, int.from_bytes(os.urandom(4), "big")], ids=["same", "new"])
def test_search_equals_reference(server, account, seed):
    import oracle

    print("seed", seed)  # pytest shows it when the test fails
    world = oracle.World(server, account, PASSWORD, seed)
    world.run(200)
    server.run("search", "rebuild")  # from here on with an index of all messages, unless it was there already
    world.run(200)


def test_sessions_equal_fresh_view(server, account):
    from sessions import World

    seed = int.from_bytes(os.urandom(4), "big")
    print("seed", seed)
    world = World(server, account, PASSWORD)
    world.run(seed, 30)
    world.close()
