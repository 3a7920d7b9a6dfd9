"""Celery and Redis: messages, leases, turns, and the thin tasks."""
