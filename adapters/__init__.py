"""The outside world: distributors, files, the shop; each behind a port."""
