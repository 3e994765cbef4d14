import re
from importlib.resources import files

from app.database.audit import Action


def test_the_filter_of_the_audit_trail_offers_all_actions():
    script = (files("app") / "web" / "audit.js").read_text("utf-8")
    listed = script.partition("const ACTIONS = [")[2].partition("];")[0]
    assert re.findall(r'"([a-z_.]+)"', listed) == sorted(Action, key=re.findall(r'"([a-z_.]+)"', listed).index)
