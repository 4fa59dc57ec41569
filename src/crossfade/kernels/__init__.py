"""Numba functions: arrays in, arrays out; no ids, no settings, no logging.

als, likelihood           factor models: half a pass over the rows of one side
search                    the k best items for queries by inner product
cooccurrence, histories   similarities of items, and what they give for a history
skipgram                  item vectors from sequences, for word2vec
user_neighbours           the users most like a history, and what they have
chebyshev                 polynomials of a sparse Gram matrix, for spectral filters
inverse                   the inverse of a large matrix, for EASE

compile, threads          how kernels are compiled, and run on several processors
lanes, strips, products   sixteen numbers at once, short vectors in registers, products of one vector with many
transposing, draws        compressed rows turned around, random numbers that order and threads don't change
"""
