"""The wallet's page: one's score, who looked, consents, listings, freeze; served where the wallet's key is."""
