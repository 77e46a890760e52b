"""``concordat-provider init``: create the node's database, or bring it to this version's schema."""

from concordat.store.engine import migrate
from provider.commands.shared import OUT, ConfigOption, advising, read_settings
from provider.database import own_database
from provider.migrations import SCRIPTS


def init(config: ConfigOption) -> None:
    """Create the node's database, or migrate it to this version; repeating it changes nothing.

    Exit codes: 0 done; 1 the database can't be opened; 2 the settings are wrong.
    """
    with advising():
        settings = read_settings(config)
        with own_database(settings.database, migrated=False) as engine:
            migrate(engine, SCRIPTS)
    OUT.print(f"{settings.member_id}: the database is ready", highlight=False)
