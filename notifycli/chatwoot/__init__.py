"""The other system: what Chatwoot calls things, and how it is spoken to."""
