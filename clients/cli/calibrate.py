"""`concordat calibrate`: how scores are pooled: fit, report, compare, sign, all offline; outcomes, drift."""

import typer

from clients.cli.calibrate_compare import compare
from clients.cli.calibrate_countersign import countersign
from clients.cli.calibrate_declare import declare
from clients.cli.calibrate_drift import drift
from clients.cli.calibrate_fit import fit
from clients.cli.calibrate_outcomes import outcomes
from clients.cli.calibrate_show import show
from clients.cli.console import CODES

app = typer.Typer(
    help="How scores are pooled: fit to outcomes, report, audit fairness, compare, sign.",
    epilog=CODES,
    no_args_is_help=True,
    add_completion=False,
)
app.command(epilog=CODES)(fit)
app.command(epilog=CODES)(declare)
app.command(epilog=CODES)(show)
app.command(epilog=CODES)(countersign)
app.command(epilog=CODES)(compare)
app.command(epilog=CODES)(outcomes)
app.command(epilog=CODES)(drift)
