"""Logs, request ids, stage timings and traces. Every room may import this one; it imports none."""
