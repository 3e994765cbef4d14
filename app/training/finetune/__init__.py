"""From a served pack to a better one: its network trained further, or an adapter behind it."""
