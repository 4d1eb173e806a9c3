"""stackdoctor: which root cause explains what an OpenStack cloud shows."""

__version__ = "0.1.0"
