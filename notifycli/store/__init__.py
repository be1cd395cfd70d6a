"""The store: directory, preferences and history in one SQLite file. The only place with SQL."""
