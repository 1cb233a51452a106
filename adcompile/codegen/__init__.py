"""From SSA to the text of Python functions, and from text to functions."""
