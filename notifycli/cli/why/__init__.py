"""`why`: why a user was notified, or not."""
