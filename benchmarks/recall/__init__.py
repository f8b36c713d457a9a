"""How well search answers: LoCoMo and questions about real coding sessions (benchmarks/README.md)."""
