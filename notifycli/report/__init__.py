"""The report page: one HTML file that shows what a replay found."""
