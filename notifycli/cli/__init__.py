"""The shell: one small file a noun. It parses, calls one function of a floor below, renders."""
