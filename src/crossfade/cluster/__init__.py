"""Alternating least squares on a cluster: what it costs, the blocks it works on, and the engines that run it."""
