"""Sound: the tones and what plays them."""
