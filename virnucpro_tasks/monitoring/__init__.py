"""A deployment as it is at one moment, for metrics and live displays."""
