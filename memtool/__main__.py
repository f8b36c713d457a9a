"""The program's entry: `memtool`, and `python -m memtool`."""

import gc


def main() -> None:
    """Run the program. No garbage is collected until the command is imported: a fifth of a start was spent on that."""
    gc.disable()
    from memtool.cli.app import main as run

    run()


if __name__ == "__main__":
    main()
