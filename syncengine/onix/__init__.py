"""Bytes to frames to products; knows ONIX and nothing of stores."""
