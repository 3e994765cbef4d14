"""Decisions, pure: thresholds, ranking, match or no match."""
