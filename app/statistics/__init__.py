"""Statistics: hourly counts of requests, verdicts, refusals and quality."""
