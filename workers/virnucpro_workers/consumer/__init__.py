"""What runs in a worker's parent process beside Celery's consumer: leases, job queues, fair order, heartbeat."""
