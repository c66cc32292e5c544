"""HTTP towards distributors: one hardened session, the headers it understands, and compressed bytes made plain."""
