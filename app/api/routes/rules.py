"""Rules for sightings: which ones raise an alarm, and where events are sent."""

from collections.abc import Collection
from typing import Annotated

from fastapi import Depends, Response

from app.access.keys import Principal, Scope
from app.api.http.body import JsonBody
from app.api.http.dependencies import PrincipalDependency, ServicesDependency, WorkersDependency
from app.api.http.routing import router_at
from app.api.schemas.paging import After, Limit, cursor_of
from app.api.schemas.rules import RuleChange, RuleId, RuleRequest, RulesPage, SightingRuleSchema

router = router_at("/rules", tag="events", scope=Scope.MANAGE)


@router.post("", status_code=201)
async def create_rule(
    request: Annotated[RuleRequest, Depends(JsonBody(RuleRequest))],
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    response: Response,
) -> SightingRuleSchema:
    """Create a rule. A key for some collections can create rules for these only."""
    _require(principal, request.collections)
    made = await workers.run(services.rules.create, request.value())
    response.headers["Location"] = f"/rules/{made.rule_id}"
    return SightingRuleSchema.of(made)


@router.get("")
async def list_rules(
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
    after: After,
    limit: Limit = 50,
) -> RulesPage:
    """List the rules, the oldest first; a key for some collections sees the rules for these only."""
    page = await workers.run(services.rules.page, after=after, limit=limit, among=principal.collections)
    return RulesPage(rules=[SightingRuleSchema.of(each) for each in page.items], next_cursor=cursor_of(page.after))


@router.get("/{rule_id}")
async def get_rule(
    rule_id: RuleId, services: ServicesDependency, workers: WorkersDependency, principal: PrincipalDependency
) -> SightingRuleSchema:
    """Return a rule."""
    return SightingRuleSchema.of(await workers.run(services.rules.get, rule_id, principal.collections))


@router.patch("/{rule_id}")
async def change_rule(
    rule_id: RuleId,
    request: Annotated[RuleChange, Depends(JsonBody(RuleChange))],
    services: ServicesDependency,
    workers: WorkersDependency,
    principal: PrincipalDependency,
) -> SightingRuleSchema:
    """Change a rule; the next sighting is judged by the new one."""
    changes = request.changes()
    if "collections" in changes:
        _require(principal, request.collections)
    return SightingRuleSchema.of(await workers.run(services.rules.change, rule_id, changes, principal.collections))


@router.delete("/{rule_id}", status_code=204)
async def delete_rule(
    rule_id: RuleId, services: ServicesDependency, workers: WorkersDependency, principal: PrincipalDependency
) -> None:
    """Delete a rule with its cooldowns."""
    await workers.run(services.rules.delete, rule_id, principal.collections)


def _require(principal: Principal, collections: Collection[str] | None) -> None:
    """Raise CollectionForbidden unless the key is for all collections of a rule."""
    if collections is None:
        principal.require_all_collections()
    for each in collections or ():
        principal.require_collection(each)
