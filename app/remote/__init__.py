"""Photos that other machines have: which addresses are public, and how a photo is fetched from one."""
