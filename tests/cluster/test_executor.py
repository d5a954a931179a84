"""Every call is answered: when nothing can be sent, when it is withdrawn, when what it needs goes with its worker."""

import os
import sys
import threading
import time
from concurrent.futures import CancelledError, as_completed, wait

import cloudpickle
import pytest
from cluster_runs import cluster_here
from distributed import Client, KilledWorker

from spread.cluster import connected
from spread.cluster.calls import call_of
from spread.cluster.executor import LOSSES
from spread.errors import NotFound, SpreadError

# workers cannot import this module
cloudpickle.register_pickle_by_value(sys.modules[__name__])


def suspects(n):
    found = [call_of(abs, (-i,), {}) for i in range(n)]
    for call in found:
        call.verdict = KilledWorker("call", "worker", 4)
    return found


def test_callbacks_of_others_hold_no_call_up():
    # dask runs the callbacks of all clients of a process in one thread
    blocked, go_on = threading.Event(), threading.Event()

    def block(_):
        blocked.set()
        go_on.wait(60)

    with cluster_here() as cluster, Client(cluster, set_as_default=False) as other:
        there = other.submit(abs, -1)
        there.add_done_callback(block)
        try:
            assert blocked.wait(10)
            with connected(cluster.scheduler_address) as executor:
                assert executor.submit(abs, -2).result(timeout=10) == 2
        finally:
            go_on.set()


def test_calls_of_a_client_that_is_gone_are_answered():
    with cluster_here() as cluster, connected(cluster.scheduler_address) as executor:
        left = [executor.submit(time.sleep, 1) for _ in range(3)]
        executor.client.close()
        for call in left:
            with pytest.raises(NotFound, match="was lost while it worked"):
                call.result(timeout=10)
        with pytest.raises(NotFound, match="was lost while it worked"):
            executor.submit(abs, -1).result(timeout=10)


def test_all_suspects_are_answered_where_none_can_be_sent():
    with cluster_here() as cluster, connected(cluster.scheduler_address) as executor:
        left = suspects(3)
        executor._suspects.extend(left)
        executor.client.close()
        executor._try_suspects()
        for call in left[:2]:
            with pytest.raises(NotFound, match="was lost while it worked"):
                call.answer.result(timeout=10)
        with pytest.raises(NotFound, match="was lost while it worked"):
            left[2].answer.result(timeout=10)


def test_suspects_that_were_given_up_are_not_sent(monkeypatch):
    with cluster_here() as cluster, connected(cluster.scheduler_address) as executor:
        executor.patience = 0.5
        cluster.scale(0)
        while executor.workers():
            time.sleep(0.05)
        left = suspects(2)
        sent = []
        real = executor.client.submit

        def submit(fn, sealed, *more, **options):
            sent.append(sealed)
            return real(fn, sealed, *more, **options)

        monkeypatch.setattr(executor.client, "submit", submit)
        under_way = executor.submit(abs, -7)
        executor._suspects.extend(left)
        for answer in (under_way, *(call.answer for call in left)):
            with pytest.raises(NotFound, match=r"no worker for 0.5 s"):
                answer.result(timeout=10)
        cluster.scale(1)
        assert executor.submit(abs, -8).result(timeout=10) == 8
        assert not executor._suspects
        assert not {call.sealed for call in left} & set(sent)
        assert len(sent) == 2


def test_a_suspect_that_was_withdrawn_is_not_sent():
    with cluster_here() as cluster, connected(cluster.scheduler_address) as executor:
        withdrawn, other = left = suspects(2)
        for call in left:
            call.answer.add_done_callback(
                lambda answer, call=call: executor._withdraw(call) if answer.cancelled() else 0
            )
        executor._suspects.extend(left)
        assert withdrawn.answer.cancel()
        executor._try_suspects()
        with pytest.raises(KilledWorker):  # the only one that is left needs no trial
            other.answer.result(timeout=10)


def test_who_waits_hears_that_a_call_was_withdrawn():
    with cluster_here() as cluster, connected(cluster.scheduler_address) as executor:
        busy, waiting = executor.submit(time.sleep, 0.5), executor.submit(time.sleep, 60)
        assert waiting.cancel()
        assert waiting in wait([waiting], timeout=10).done
        assert wait([busy], timeout=10).done


def test_who_waits_hears_of_the_end():
    with cluster_here() as cluster, connected(cluster.scheduler_address) as executor:
        left = [executor.submit(time.sleep, 5) for _ in range(4)]
        heard = []
        thread = threading.Thread(target=lambda: heard.extend(as_completed(left, timeout=20)), daemon=True)
        thread.start()
        executor.shutdown(cancel_futures=True)
        thread.join(10)
        assert set(heard) == set(left)
        for call in left:
            with pytest.raises(CancelledError):
                call.result(timeout=0)


def test_an_end_that_waits_has_all_answers_and_one_that_does_not_gets_them_later():
    with cluster_here() as cluster:
        for waits in (True, False):
            with connected(cluster.scheduler_address) as executor:
                left = [executor.submit(pow, n, 2) for n in range(5)]
                executor.shutdown(wait=waits)
                assert not waits or all(call.done() for call in left)
                assert [call.result(timeout=10) for call in left] == [0, 1, 4, 9, 16]
                with pytest.raises(RuntimeError, match="after shutdown"):
                    executor.submit(abs, -1)


def test_who_hears_of_an_answer_may_wait_for_others_to_send_calls():
    with cluster_here() as cluster, connected(cluster.scheduler_address) as executor:
        heard = []

        def hear(_):
            sender = threading.Thread(target=lambda: heard.append(executor.submit(abs, -3)), daemon=True)
            sender.start()
            sender.join(10)
            heard.append(sender.is_alive())

        executor.submit(abs, -2).add_done_callback(hear)
        deadline = time.monotonic() + 20
        while len(heard) < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert heard[1] is False
        assert heard[0].result(timeout=10) == 3


def test_what_is_held_is_sent_once_and_again_after_the_last_worker_that_had_it(monkeypatch):
    with cluster_here() as cluster, connected(cluster.scheduler_address) as executor:
        sent = []
        real = executor.client.scatter
        monkeypatch.setattr(executor.client, "scatter", lambda *a, **k: sent.append(a) or real(*a, **k))
        held = executor.hold(b"weights")
        assert not sent  # when a call first needs it
        assert list(executor.map(lambda n: n, range(3))) == [0, 1, 2]
        calls = [executor.submit(len, held) for _ in range(5)]
        assert [call.result(timeout=10) for call in calls] == [7] * 5
        assert len(sent) == 1
        cluster.scale(0)
        while executor.workers():
            time.sleep(0.05)
        again = executor.submit(max, held, b"x")
        time.sleep(0.2)
        cluster.scale(1)
        assert again.result(timeout=20) == b"x"
        assert len(sent) >= 2


def test_holding_and_sending_wait_for_no_worker():
    with cluster_here() as cluster, connected(cluster.scheduler_address) as executor:
        executor.patience = 1.0
        cluster.scale(0)
        while executor.workers():
            time.sleep(0.05)
        begun = time.monotonic()
        call = executor.submit(len, executor.hold(b"weights"))
        assert time.monotonic() - begun < 0.5
        with pytest.raises(NotFound, match=r"no worker for 1 s"):
            call.result(timeout=20)


def unlucky(held, deaths, folder):
    """Takes some workers with it first."""
    if len(list(folder.iterdir())) < deaths:
        (folder / f"{os.getpid()}").touch()
        os._exit(3)
    return len(held)


@pytest.mark.slow
def test_what_a_call_needs_and_took_with_its_worker_is_sent_again(tmp_path):
    (tmp_path / "one.toml").write_text('kind = "local"\nworkers = 1\n')
    folder = tmp_path / "deaths"
    folder.mkdir()
    with connected(str(tmp_path / "one.toml")) as executor:
        held = executor.hold(b"weights")
        assert executor.submit(unlucky, held, LOSSES - 1, folder).result(timeout=120) == 7
        with pytest.raises(SpreadError, match="3 workers were lost while they did this"):
            executor.submit(unlucky, held, 99, folder).result(timeout=120)
        assert len(list(folder.iterdir())) == 2 * LOSSES - 1
        assert executor.submit(len, held).result(timeout=60) == 7
