"""A queue of jobs: store, leases, runner, progress and uploads."""
