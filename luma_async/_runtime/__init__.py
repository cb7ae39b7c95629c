"""Time, threads, locks and telemetry: nothing of the service."""
