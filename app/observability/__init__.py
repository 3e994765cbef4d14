"""Logs, request ids and stage timings. May be used by every room, imports none."""
