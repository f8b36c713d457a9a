"""What is tried before a release, and takes too long for tests/run: `tests/release`."""
