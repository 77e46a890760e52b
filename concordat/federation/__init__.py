"""Who takes part: the trust bundle, licences, standing, and who may ask for what."""
