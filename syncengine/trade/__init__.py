"""Offers, orders and an instant, to order steps."""
