"""Making a calibration: samples, licences, sealing, countersigning, and what a new one changes."""
