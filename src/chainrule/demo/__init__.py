"""The demonstrations on real data behind `chainrule demo` and `make demo`."""
