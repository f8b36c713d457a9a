"""One-shot bodies and the runner that runs them: lock, record, work, record, exit code."""
