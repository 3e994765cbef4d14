"""Schemas of requests and answers. Their names are the API's contract."""
