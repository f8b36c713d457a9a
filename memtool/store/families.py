"""The column families and how RocksDB keeps them; the names and their meaning are in docs/store-format.md."""

from __future__ import annotations

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options

META = "meta"
EVENTS = "events"
IDS = "ids"
REVISIONS = "revisions"
REWINDS = "rewinds"
TOMBSTONES = "tombstones"
SESSIONS = "sessions"
SOURCES = "sources"
CUTS = "cuts"
NODES = "nodes"
GRIPS = "grips"
MARKS = "marks"
FAILURES = "failures"
WRITES = "writes"

FAMILIES = (
    META,
    EVENTS,
    IDS,
    REVISIONS,
    REWINDS,
    TOMBSTONES,
    SESSIONS,
    SOURCES,
    CUTS,
    NODES,
    GRIPS,
    MARKS,
    FAILURES,
    WRITES,
)
GENERATION_FAMILIES = (CUTS, NODES, GRIPS, MARKS, FAILURES, WRITES)
"""Those whose keys begin with the number of a table of contents."""

_WRITE_BUFFER_BYTES = 16 << 20
_CACHE_BYTES = 32 << 20
_MANIFEST_BYTES = 64 << 10
_LOG_BYTES = 1 << 20


def options(cache: Cache, *, create: bool = False) -> Options:
    """Return the options of the database and of each family, which share one block cache."""
    chosen = Options(raw_mode=True)
    chosen.create_if_missing(create)
    chosen.create_missing_column_families(create)
    chosen.set_paranoid_checks(True)
    # All files are opened up front: a reader then never meets one that a compaction has just removed.
    # One thread opens them: with the default of 16 a family an open of a small store took 27 ms, with one 8.
    chosen.set_max_open_files(-1)
    chosen.set_max_file_opening_threads(1)
    blocks = BlockBasedOptions()
    blocks.set_block_cache(cache)
    chosen.set_block_based_table_factory(blocks)
    chosen.set_write_buffer_size(_WRITE_BUFFER_BYTES)
    chosen.set_compression_type(DBCompressionType.lz4())
    chosen.set_bottommost_compression_type(DBCompressionType.zstd())
    # One-shot jobs open often: no 4 MiB preallocation, no statistics thread, two short logs.
    chosen.set_manifest_preallocation_size(_MANIFEST_BYTES)
    chosen.set_stats_dump_period_sec(0)
    chosen.set_stats_persist_period_sec(0)
    chosen.set_keep_log_file_num(2)
    chosen.set_max_log_file_size(_LOG_BYTES)
    return chosen


def open_options(*, create: bool = False) -> tuple[Options, dict[str, Options]]:
    """Return the options of the database and those by family, as RocksDB wants them."""
    cache = Cache(_CACHE_BYTES)
    return options(cache, create=create), {name: options(cache, create=create) for name in FAMILIES}
