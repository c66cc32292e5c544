"""What a user would pick instead of the engine: each peer reads one ONIX 3 feed in a process of its own (`python -m bench.peers`)."""
