"""What training does, drawn."""
