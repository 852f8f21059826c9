"""The embedded engines; `ir_portal.embedded` is the door to them. Nothing here imports Django's settings."""
