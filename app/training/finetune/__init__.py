"""Adaptation of a pack: fine-tuning of its network, or an adapter behind it."""
