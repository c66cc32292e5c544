"""What the stub distributors share: one loopback server, a made-up catalogue, fault knobs, a ledger, steering routes."""

from adapters.sandbox.server import Sandbox

__all__ = ["Sandbox"]
