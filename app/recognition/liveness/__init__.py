"""The liveness gate: verdicts on evidence of presentation attacks, and what they do to a decision. Pure."""
