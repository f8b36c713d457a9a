"""Long-term memory for AI coding agents, kept by systemd timers. Holds the version and nothing else."""

__version__ = "0.1.0"
