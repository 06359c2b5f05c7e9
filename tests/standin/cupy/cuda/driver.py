"""cupy.cuda.driver: the errors of the CUDA driver."""


class CUDADriverError(RuntimeError):
    """What the CUDA driver reports."""
