"""Kills the running connector at named places and at random moments, and checks that nothing was lost or doubled."""
