"""Many runs, one after another, and one table of what they found."""
