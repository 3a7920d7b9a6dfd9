"""Parts of Celery's consumer in a worker's parent process: leases, job queues, fair order, requests, heartbeat."""
