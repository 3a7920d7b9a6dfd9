"""What clients and workers share of Celery and Redis: the application, tasks, queues, messages and checks."""
