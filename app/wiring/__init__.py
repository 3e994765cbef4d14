"""Wiring: settings in, long-lived objects out."""
