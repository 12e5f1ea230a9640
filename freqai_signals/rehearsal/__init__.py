"""Rehearsals: the real bot against the sandbox on accelerated time, and the checks of its run."""
