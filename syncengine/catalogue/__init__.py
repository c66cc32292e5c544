"""Frames and what is known of them, to changes."""
