"""Claude Code's transcripts: `format` reads a file's records, the others one kind of record or one concern each."""
