"""Enrollment in a process."""

from functools import cached_property

from app.recognition.enrollment import EnrollmentService
from app.wiring.resources import Resources


class EnrollingResources(Resources):
    """Resources of a process that enrolls people."""

    @cached_property
    def enrollment(self) -> EnrollmentService:
        """Enrollment."""
        return EnrollmentService(
            self.registry.analysis_of, self.gallery, self.registry.policy_of, crops=self.crops, gate=self.liveness_gate
        )
