"""cupy.cuda.nvrtc: the compiler's version."""


def getVersion() -> tuple[int, int]:
    """Major and minor."""
    return (12, 9)
