"""`doctor`: a file of checks for each part of what can be set up."""
