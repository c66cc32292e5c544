"""The engine: no SQL, no HTTP, no distributor's name."""
