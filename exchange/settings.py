"""The exchange's settings."""

from pydantic import Field

from concordat.settings import ServerSettings


class ExchangeSettings(ServerSettings):
    """What an exchange process needs beyond what every server has."""

    provider_timeout_seconds: float = Field(
        default=5.0, gt=0, le=30, description="The longest that a view waits for a provider."
    )
    coalesce_window_seconds: float = Field(
        default=0.010,
        ge=0,
        le=0.04,  # below the least that a view may wait for its providers (concordat.rpc.deadline)
        description="How long requests to one provider wait for company under load; 0 sends at once.",
    )
    shutdown_grace_seconds: float = Field(
        default=5.0, ge=0, le=60, description="How long calls may finish after a stop signal."
    )
