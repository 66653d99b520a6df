"""Recordings to look at: one HTML page that loads nothing, a player for other pages, animated GIFs."""

from event_tools.viewer.gif import write_gif
from event_tools.viewer.page import player_html, write_page

__all__ = ["player_html", "write_gif", "write_page"]
