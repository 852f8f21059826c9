"""NOT THE REAL FILE. The original (uncommitted, of 13:57 to 14:03) was deleted by mistake while notices were being tested.

Put the original back over this. Until then its tags (top_bar, room_header, room_foot, segments) are unknown; this only keeps
the setting "builtins" loadable, so that everything which renders no page goes on working.
"""

from django import template

register = template.Library()
