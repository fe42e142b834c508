"""Libraries that differentiate: each makes a problem ready, in a process of its own."""
