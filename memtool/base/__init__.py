"""What every layer stands on: errors, paths, config, files, locks. Knows nothing of memory, jobs or terminals."""
