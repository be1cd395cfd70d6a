"""What listens: Chatwoot's API on our store, and the receiver of its webhooks."""
