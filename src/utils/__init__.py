"""Metrics, tracking, the runner, and the local services."""
