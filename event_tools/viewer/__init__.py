"""Recordings to look at: one HTML page that loads nothing, a player for other pages, films and animated pictures."""

from event_tools.viewer.films import write_gif, write_video
from event_tools.viewer.page import player_html, write_page

__all__ = ["player_html", "write_gif", "write_page", "write_video"]
