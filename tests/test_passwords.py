"""What a guess at a stolen hash costs. The other tests hash quickly (`conftest.py`)."""

from argon2 import PasswordHasher, Type, extract_parameters


def test_passwords_are_hashed_as_rfc_9106_asks(shipped_hashers: tuple[PasswordHasher, ...]) -> None:
    """Its second recommended option: for machines whose memory is short."""
    assert len(shipped_hashers) == 2
    for hasher in shipped_hashers:
        used = extract_parameters(hasher.hash("a password of somebody"))
        assert used.type is Type.ID
        assert used.memory_cost >= 64 * 1024
        assert used.time_cost >= 3
