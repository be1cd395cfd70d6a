"""What commands read: files and standard input, line by line; events, by several processes."""
