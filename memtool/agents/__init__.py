"""Agents' transcripts as events. `registry` has a row for each agent; nothing else in memtool knows any of them."""
