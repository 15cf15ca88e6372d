"""A short run of the fuzzer."""

from tests.io.fuzzing import run


def test_mutated_files():
    # A machine may be busy with other tests.
    counts = run(400, seed=5, max_seconds=20)
    # Some of those with a right checksum are as good as they were.
    assert counts["refused"] > 200
    assert counts["loaded"] > 10
