"""What the reading commands ask of a store: each module answers one of them with a frozen value. Writes nothing."""
