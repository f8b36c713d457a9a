"""The jobs, when they are due, what ran and how it went. Knows systemd and the ledger, never the store."""
