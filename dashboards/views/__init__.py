"""The views of the page, in order; a new one is a file here and an entry in the list."""

from dashboards.view import View
from dashboards.views.maps import MapsView
from dashboards.views.spread import SpreadView
from dashboards.views.trace import TraceView
from dashboards.views.why import WhyView

VIEWS: tuple[type[View], ...] = (SpreadView, MapsView, WhyView, TraceView)
"""Every view, in the order of the page."""
