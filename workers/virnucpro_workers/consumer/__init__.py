"""What runs in a worker's parent process beside Celery's consumer: leases, queues of jobs, fair order, heartbeat."""
