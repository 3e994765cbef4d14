"""Demographic differentials: error rates by group, in the form of ISO/IEC 19795-10."""
