"""Documents of preferences and of the directory: parsed and written."""
