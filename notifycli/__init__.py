"""Notification preferences, access tokens and what-if replays for a support desk."""

__version__ = "0.1.0"
