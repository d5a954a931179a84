"""Choices: only what the report offers is taken, a URL brings the same page back, harm is refused with a sentence."""

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.state import LONGEST, Offers, State, read_query

OFFERS = Offers(
    reports=("tas · demo", "pr · other"),
    views=("spread", "maps", "why", "trace"),
    regions=("global", "arctic", "North & South=1"),
    seasons=("annual", "DJF"),
    periods=("2081-2100", "2041-2060"),
    votes=("models", "runs"),
    ranges=("raw", "constrained"),
    scenarios=("ssp585", "ssp126"),
    moments=("2081-2100", "+2 K"),
    models=("", "CanESM5"),
    answers=("partition", "weights"),
    bases=((1850, 1900), (1995, 2014)),
    years=(1850, 2100),
)
FIRST = State.first(OFFERS)

names = {
    "report": OFFERS.reports, "view": OFFERS.views, "region": OFFERS.regions, "season": OFFERS.seasons,
    "period": OFFERS.periods, "votes": OFFERS.votes, "range": OFFERS.ranges, "scenario": OFFERS.scenarios,
    "moment": OFFERS.moments, "model": OFFERS.models, "answer": OFFERS.answers,
}  # fmt: skip
bases = st.tuples(st.integers(1850, 2090), st.integers(4, 60)).map(lambda b: (b[0], min(b[0] + b[1], 2100)))
states = st.fixed_dictionaries(
    {**{name: st.sampled_from(known) for name, known in names.items()}, "assessed": st.booleans(), "base": bases}
).map(lambda choices: State(**choices))


def in_server(query: str) -> dict[str, list[bytes]]:
    """The query as Tornado hands it on."""
    return {k: [v.encode() for v in vs] for k, vs in parse_qs(query.lstrip("?"), keep_blank_values=True).items()}


def test_what_is_first_needs_no_query():
    assert FIRST.query(OFFERS) == ""
    assert (FIRST.region, FIRST.base, FIRST.model) == ("global", (1850, 1900), "")


@given(states)
def test_a_url_brings_the_same_page_back(state):
    query = state.query(OFFERS)
    assert query.isascii()
    found, refused = read_query(in_server(query))
    again, more = FIRST.choose(OFFERS, **found)
    assert (again, refused, more) == (state, [], [])


@given(st.dictionaries(st.text(max_size=30), st.lists(st.binary(max_size=200), max_size=3), max_size=8))
def test_any_query_leaves_a_state_that_the_report_offers(arguments):
    found, _ = read_query(arguments)
    state, _ = FIRST.choose(OFFERS, **found)
    for name, known in names.items():
        assert getattr(state, name) in known
    assert 1850 <= state.base[0] <= state.base[1] <= 2100


@given(st.sampled_from([*names, "base", "assessed"]), st.one_of(st.text(), st.integers(), st.none(), st.binary()))
def test_any_message_leaves_a_state_that_the_report_offers(name, value):
    state, refused = FIRST.choose(OFFERS, **{name: value})
    assert refused or getattr(state, name) == value or name in ("base", "assessed")
    assert all(sentence.isprintable() for sentence in refused)


@pytest.mark.parametrize("value", [
    "1850", "2014-1995", "1995-1998", "1700-1750", "0-99999", "1995-2014; rm", "-1-5", "1e3-2e3", "１９９５-２０１４",
])  # fmt: skip
def test_a_base_period_that_cannot_be_is_refused(value):
    state, refused = FIRST.choose(OFFERS, base=value)
    assert state == FIRST
    assert len(refused) == 1
    assert "base period: expected" in refused[0]


@pytest.mark.parametrize("value", ["1995-2014", "1995–2014", " 1995 - 2014 ", (1995, 2014)])
def test_a_base_period_is_read(value):
    assert FIRST.choose(OFFERS, base=value)[0].base == (1995, 2014)


def test_another_report_keeps_what_it_offers_too():
    state, _ = FIRST.choose(OFFERS, region="arctic", view="maps", season="DJF", assessed="0")
    other = OFFERS._replace(regions=("land", "global"), bases=((1961, 1990),))
    moved = state.fitted(other)
    assert (moved.region, moved.view, moved.season, moved.base) == ("land", "maps", "DJF", (1961, 1990))
    assert not moved.assessed


def test_what_is_refused_is_said_in_short():
    assert read_query({"token": [b"of Binder"], "theme": [b"dark"], "bokeh-session-id": [b"x"]}) == ({}, [])
    _, refused = read_query({"region": [b"x" * (LONGEST + 1)], "base": [b"\xff"], "season": [b"a\x00"], "path": [b"/"]})
    assert len(refused) == 4
    assert max(map(len, refused)) < 2 * LONGEST
