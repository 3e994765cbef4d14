from tests.jobs.conftest import jobs, leases, started

__all__ = ["jobs", "leases", "started"]
