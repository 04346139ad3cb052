"""What runs on a host that serves models for others: the door of its pool."""
