"""`directory`, `user`, `inbox` and `team`: who there is, and who sees what."""
