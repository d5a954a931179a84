"""The gauntlet: every fault that CMIP6 and its clouds are known to have, injected on purpose and scored.

``python -m tests.gauntlet`` makes a small seeded archive, breaks it in one way at a time, serves it through an object
store on the loopback interface and asks spread for a number. A fault may be repaired, may exclude its dataset with a
reason, or may be marked; a wrong number that nothing marks is what must never happen.
"""
