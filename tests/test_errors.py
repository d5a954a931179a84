"""Errors say who and why in one line; failures are values."""

import pickle

import pytest

from spread.errors import (
    BadStudy,
    Failure,
    NotComparable,
    NotConforming,
    NotFound,
    NotWritable,
    SpreadError,
    Unreadable,
    did_you_mean,
    one_line,
)


def test_every_error_is_caught_by_the_root():
    for error in (BadStudy, NotComparable, NotConforming, NotFound, NotWritable, Unreadable):
        assert issubclass(error, SpreadError)
        assert error.exit_code == 2


def test_a_rejection_holds_every_breach_and_survives_a_worker():
    error = NotConforming("MODEL.tas", ["units: none", "time: none"])
    assert str(error) == "MODEL.tas: units: none; time: none"
    again = pickle.loads(pickle.dumps(error))
    assert (again.who, again.breaches, str(again)) == (error.who, error.breaches, str(error))


def test_a_failure_is_a_value():
    one, other = (Failure("A.tas", "reduce", "too cold", facets={"source_id": "A"}) for _ in range(2))
    assert one == other == pickle.loads(pickle.dumps(one))
    assert one.sentence == "A.tas: too cold"
    assert not one.transient
    with pytest.raises(AttributeError):
        one.reason = "too warm"


def test_an_error_is_said_in_one_line():
    assert one_line(Unreadable("store:\n  gone")) == "store: gone"
    assert one_line(ValueError("bad\nnumber")) == "ValueError: bad number"
    assert one_line(KeyError()) == "KeyError"


def test_a_cause_is_said_where_it_explains():
    def caused(error, cause):
        error.__cause__ = cause
        return one_line(error)

    assert caused(RuntimeError("failed"), OSError("no route")) == "RuntimeError: failed (because of OSError: no route)"
    assert caused(OSError("failed"), OSError("no route")) == "OSError: failed"
    assert caused(NotFound("gone"), OSError("no route")) == "gone"


def test_near_words_are_suggested():
    assert did_you_mean("ssp558", ["ssp585", "ssp126"]) == "did you mean 'ssp585'?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    assert did_you_mean("zzz", [f"k{n:02d}" for n in range(20)]).endswith("k11, ...")
