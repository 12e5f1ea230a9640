"""Rehearsals: the real bot against the sandbox on accelerated time, and what became of it."""
