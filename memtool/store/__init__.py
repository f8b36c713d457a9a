"""The embedded store: RocksDB behind typed reads and whole batches. Nothing outside this package touches rocksdict."""
