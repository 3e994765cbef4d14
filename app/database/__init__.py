"""The SQL database: engine, tables, and whether its schema is current."""
