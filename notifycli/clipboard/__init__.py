"""The clipboard: the desktop's, the terminal's, the system's programs."""
