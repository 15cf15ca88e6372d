"""Our estimators against the peers that are installed: ``python -m benchmarks``."""
