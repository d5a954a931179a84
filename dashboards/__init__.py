"""The dashboard: reads reports, switches their definitions, and shows how far models disagree and why.

``state`` is what is chosen, ``results`` what a report says to it, ``views`` one file each, ``app`` the page and its
server. Panel is imported by ``app`` and ``views``, so that importing this package stays cheap.
"""
