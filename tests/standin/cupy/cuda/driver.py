"""cupy.cuda.driver: the errors of the CUDA driver."""

from .._errors import CUDADriverError as CUDADriverError
