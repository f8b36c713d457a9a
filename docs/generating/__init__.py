"""What docs/generate is made of: the command tree and the settings as pages. Nothing of it is installed."""
