"""Evaluation of packs: verification and identification protocols, error rates with intervals, reports."""
