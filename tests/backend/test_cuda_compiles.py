"""Every kernel text of the package compiles for three generations of cards, all numbers in registers."""

import nvrtc
import pytest

pytestmark = pytest.mark.skipif(nvrtc.missing() is not None, reason=str(nvrtc.missing()))


@pytest.mark.parametrize("architecture", nvrtc.ARCHITECTURES)
def test_every_text_compiles_without_spilling(gpu, architecture):
    """A template of many types is compiled for each card with every third of them, in turn."""
    cards = len(nvrtc.ARCHITECTURES)
    assert len(gpu.launch.TEMPLATES) >= 8
    for template in gpu.launch.TEMPLATES:
        sources = list(template.sources())
        if len(sources) > cards:
            sources = sources[nvrtc.ARCHITECTURES.index(architecture) :: cards]
        for source in sources:
            made = nvrtc.compiled(source, architecture)
            assert len(made.cubin) > 1000 and "kernel.cu(" not in made.log, f"{template.name}:\n{made.log}"
            assert made.registers > 0 and made.spilled == made.stack == 0, f"{template.name}:\n{made.log}"


def test_a_wrong_text_is_refused():
    with pytest.raises(nvrtc.Refused, match='identifier "y" is undefined'):
        nvrtc.compiled('extern "C" __global__ void f(float* x) { *x = y; }', "sm_80")
