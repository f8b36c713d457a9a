"""`memtool scheduler`: the jobs' timers and how the jobs went. Opens no store and imports nothing that could."""

from memtool.cli.scheduler.commands import scheduler

__all__ = ["scheduler"]
