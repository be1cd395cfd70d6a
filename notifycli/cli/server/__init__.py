"""`listen` and `serve`: the commands that stay, and what they share."""
