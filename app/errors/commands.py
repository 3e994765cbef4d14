"""Settings, optional installations, evaluation and training: errors of the operator's commands."""

from app.errors.base import ArcidError


class SettingsInvalid(ArcidError):
    """A setting has an invalid value, or an environment variable names an unknown setting."""


class AddressUnusable(ArcidError):
    """The service cannot listen on the address: its port is taken, or it is another machine's."""


class ServiceUnreachable(ArcidError):
    """No service answers at the address of --url."""


class ServiceRefused(ArcidError):
    """The service at the address of --url refused the request."""


class TracingUnavailable(ArcidError):
    """Traces are switched on, but their libraries are not installed."""


class DemoPhotoMissing(ArcidError):
    """A package that contains a photo of the demo is not installed."""


class EvaluationInvalid(ArcidError):
    """A pairs file, a set or a folder of an evaluation is not valid."""


class ReportUnavailable(ArcidError):
    """Matplotlib, which draws the figures of reports, is not installed."""


class SortingInvalid(ArcidError):
    """The state of an earlier `arcid cluster` is damaged, or of another network."""


class TrainingError(ArcidError, has_own_code=False):
    """Problem of a training run that its operator can fix."""


class TrainingUnavailable(TrainingError):
    """The libraries for training are not installed, or the requested device is missing."""


class TrainingInvalid(TrainingError):
    """A configuration, a data set or a folder of a run is not valid."""

    @classmethod
    def not_onnx(cls, error: Exception) -> "TrainingInvalid":
        """Return the error for a file that ONNX cannot parse."""
        return cls(f"this is not an ONNX network: {error}")


class PhotosDamaged(TrainingError):
    """More photos of a data set cannot be read than the configuration allows."""


class CheckpointMismatch(TrainingError):
    """A run cannot continue: its checkpoint has another configuration, other data or other processes."""


class TrainingDiverged(TrainingError):
    """The loss is no longer a number: the learning rate or the scale is too high."""
