"""The version, which is that of the service this client was released with."""

__version__ = "0.1.0"
