"""Raw array kernels, nothing about gradients: convolution, pooling, scatter_add.

plain/ defines every kernel for any array library; the other files hold the same kernels tuned for NumPy.
"""
