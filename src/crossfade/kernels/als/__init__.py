"""Alternating least squares over arrays: `half_step` solves rows of one side against the other side, held fixed.

half_step     the entry: the fixed side, a half-step, the Gram matrix, the loss of the played pairs
equations     what a half-step solves, and what the played pairs add to the loss
conjugate     rows by conjugate gradients, plain or preconditioned, for vectors of any width
narrow        the same for vectors that fit into registers
axes          the axes along which the Gram matrix is diagonal
cholesky      rows solved exactly; `pivots` has sixteen steps of it in registers
oracle        all of it in plain NumPy
"""
