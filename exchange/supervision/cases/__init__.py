"""Case look-ups: one named subject, two approvers, a sealed entry, and a notice that nobody can hold back."""
