"""Pages for people, served on loopback beside their key: the wallet's, and the regulator's desk."""
