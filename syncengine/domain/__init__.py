"""Frozen values and pure rules that every room shares."""
