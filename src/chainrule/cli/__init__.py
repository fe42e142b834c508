"""The ``chainrule`` command. Each subcommand is one module, loaded when it is called."""
