"""How good is a pack? Verification and identification protocols, error rates with intervals, reports."""
