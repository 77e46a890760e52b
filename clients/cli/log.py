"""`concordat log`: audit the transparency log, watch it, prove what is in it. Believes only its keys."""

import typer

from clients.cli.log_audit import audit
from clients.cli.log_check_proof import check_proof
from clients.cli.log_options import LOG_CODES
from clients.cli.log_prove import prove
from clients.cli.log_watch import watch

app = typer.Typer(
    help="Audit the transparency log, watch it, prove what is in it.",
    epilog=LOG_CODES,
    no_args_is_help=True,
    add_completion=False,
)
app.command(epilog=LOG_CODES)(audit)
app.command(epilog=LOG_CODES)(watch)
app.command(epilog=LOG_CODES)(prove)
app.command("check-proof", epilog=LOG_CODES)(check_proof)
