"""Traces and graphs that people read: text, HTML, SVG, LaTeX, and JSON for programs."""
