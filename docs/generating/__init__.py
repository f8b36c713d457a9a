"""What docs/generate is made of. Nothing of this is installed."""
