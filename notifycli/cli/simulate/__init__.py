"""`simulate`, `why` and `test`: one replay of events, shown in as many ways."""
