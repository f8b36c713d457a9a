"""The rollup engine: `plan` says what is to do, `steps` does it one batch at a time, `run` is the job's body."""
