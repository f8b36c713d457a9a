"""The ledger: every run of a job and every model call, in one sqlite3 file. Opens no store."""
