"""The outbox, to calls, to receipts."""
