"""Celery and Redis for clients and workers: the application, tasks, queues, messages and checks."""
