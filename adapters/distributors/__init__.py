"""One folder a distributor: source, rules, calls, sandbox."""
