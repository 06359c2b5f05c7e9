"""Recording, updating and looking for NaN are switches that belong to one thread or task."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import tinygrad_notes as tg
from tinygrad_notes import backend
from tinygrad_notes.autograd import mode


def leaf(*shape, seed=0, dtype=np.float64):
    return tg.Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


def values(tensor):
    return backend.to_numpy(tensor.data)


def test_modes_nest_and_decorate():
    x = leaf(2)
    with tg.no_grad():
        assert not tg.is_grad_enabled()
        with tg.enable_grad():
            assert (x * 1).requires_grad
        assert not (x * 1).requires_grad

    @tg.no_grad()
    def evaluate(depth):
        return evaluate(depth - 1) if depth else (x * 1).requires_grad

    assert evaluate(3) is False
    assert tg.is_grad_enabled()
    with pytest.raises(KeyError), tg.no_grad():
        raise KeyError
    assert tg.is_grad_enabled()


def test_modes_belong_to_one_thread():
    seen = []
    with tg.no_grad():
        thread = threading.Thread(target=lambda: seen.append(tg.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_modes_belong_to_one_async_task():
    async def worker(delay, quiet):
        if quiet:
            with tg.no_grad():
                await asyncio.sleep(delay)
                return tg.is_grad_enabled()
        await asyncio.sleep(delay)
        return tg.is_grad_enabled()

    async def main():
        return await asyncio.gather(worker(0.02, True), worker(0.01, False), worker(0.03, False))

    assert asyncio.run(main()) == [False, True, True]


def test_threads_may_run_their_own_graphs_side_by_side():
    results = {}

    def work(seed):
        x = leaf(50, seed=seed)
        for _ in range(20):
            x.zero_grad()
            (tg.sigmoid(x) * x).sum().backward()
            time.sleep(0)
        results[seed] = values(x.grad)

    threads = [threading.Thread(target=work, args=(s,)) for s in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for seed, got in results.items():
        x = leaf(50, seed=seed)
        (tg.sigmoid(x) * x).sum().backward()
        np.testing.assert_array_equal(got, values(x.grad))


def test_anomaly_in_the_forward_names_the_operation():
    x = tg.Tensor([1.0, -1.0], requires_grad=True)
    with np.errstate(all="ignore"), tg.detect_anomaly():
        with pytest.raises(tg.AnomalyError, match=r"forward of Log is .*; its inputs are finite"):
            tg.log(x)
        with pytest.raises(tg.AnomalyError, match=r"forward of Multiply .* its input a already was"):
            tg.Tensor([np.inf]) * x[:1]


def test_anomaly_in_the_backward_shows_where_the_forward_was():
    x = tg.Tensor([0.0], requires_grad=True)
    with np.errstate(all="ignore"), tg.detect_anomaly():
        y = tg.sqrt(x).sum()  # this line
        with pytest.raises(tg.AnomalyError, match=r"backward of Sqrt(.|\n)*y = tg.sqrt\(x\).sum\(\)"):
            y.backward()


def test_one_switch_serves_threads_tasks_and_coroutines():
    switch, barrier = tg.no_grad(), threading.Barrier(3, timeout=10)

    def inside(_):
        with switch:
            barrier.wait()  # all three are inside at once
            quiet = not mode.is_grad_enabled()
            barrier.wait()
        return quiet and mode.is_grad_enabled()

    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(inside, range(3)))

    @tg.no_grad()
    async def coroutine():
        await asyncio.sleep(0)
        return mode.is_grad_enabled()

    async def both():
        return await asyncio.gather(coroutine(), coroutine()), mode.is_grad_enabled()

    assert asyncio.run(both()) == ([False, False], True)
    with pytest.raises(TypeError, match="generator"):

        @tg.no_grad()
        def generator():
            yield

    with pytest.raises(TypeError, match="generator"):

        @tg.no_grad()
        async def several():
            yield


@pytest.mark.parametrize("finish", ["close", "run out"])
def test_a_generator_that_leaves_a_block_open_changes_only_its_own(finish):
    def draws():
        with tg.no_grad():
            yield 1
            yield 2

    def end(generator):
        if finish == "close":
            generator.close()
        else:
            list(generator)

    generator = draws()
    next(generator)
    with tg.detect_anomaly():
        end(generator)
        assert tg.is_grad_enabled() and mode.anomaly.get()
    assert not mode.anomaly.get()
    generator = draws()
    next(generator)
    with tg.enable_grad():
        end(generator)
        assert tg.is_grad_enabled()
    assert tg.is_grad_enabled()
    generator = draws()
    thread = threading.Thread(target=lambda: next(generator))
    thread.start()
    thread.join()
    end(generator)  # began in another thread
    assert tg.is_grad_enabled()
