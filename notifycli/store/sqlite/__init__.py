"""What SQLite alone needs: connection, schema, outbox."""
