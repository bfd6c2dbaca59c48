"""What strangers, curious members of other labs and careless clients send, and what it must not do."""

import pytest
from hub_in_process import Hub


@pytest.mark.parametrize("character", ["%1b", "%0b", "%7f", "%0d%0a", "%00"])
def test_control_characters_of_a_path_do_not_break_the_answer(hub: Hub, character: str) -> None:
    reply = hub.get(f"/api/models/alice/x{character}y")
    assert reply.status_code == 404
    assert reply.headers["x-error-code"] == "RepoNotFound"
    assert reply.headers["x-error-message"].isprintable()


@pytest.mark.parametrize("token_id", [-(10**23), -1, 0, 10**23])
def test_a_token_id_that_no_database_can_hold_is_not_there(hub: Hub, token_id: int) -> None:
    assert hub.delete(f"/api/tokens/{token_id}").status_code == 404
