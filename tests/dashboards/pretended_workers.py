"""Who calculates in tests: at once, never, or lost with every step."""

from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

from dashboards.calculating import working


class Here:
    """Does steps at once, in this process, like a worker would."""

    def submit(self, step, *given):
        promise = Future()
        try:
            promise.set_result(step(*given))
        except Exception as error:
            promise.set_exception(error)
        return promise

    def close(self):
        raise AssertionError("others may be waiting for it")

    lost = staticmethod(working.Workers.lost)


class Never(Here):
    """Takes steps and never ends them."""

    def submit(self, step, *given):
        return Future()


class Lost(Here):
    """Loses every step."""

    def submit(self, step, *given):
        promise = Future()
        promise.set_exception(BrokenProcessPool("killed"))
        return promise
