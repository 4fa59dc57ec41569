"""Factor models by maximum likelihood over arrays.

half_pass     the entry: rows of one side against the other side, and samples of columns
newton        a row's steps
oracle        both in plain NumPy
"""
