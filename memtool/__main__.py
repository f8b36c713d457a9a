"""`python -m memtool` is `memtool`."""

from memtool.cli.app import main

if __name__ == "__main__":
    main()
