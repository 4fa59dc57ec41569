"""The k best items for each of many queries, by inner product.

best        the k best of many as they come by, and how ties and exclusions are settled
panels      items side by side in the lanes of the processor, and scores of eight queries with sixteen items
scan        exact search by scoring all items
pruned      exact search that scores few items, guided by `sketch`, vectors in bytes (`byte_lanes`)
probing     search of some clusters of items
oracle      the readable counterparts in NumPy
"""
