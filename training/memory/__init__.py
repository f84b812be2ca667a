"""Project memory: accepted masks adapt the network's answers within seconds (docs/memory.md)."""
