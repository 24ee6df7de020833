"""Who answers: the real stores, mirrors of them, or the embedded provider in a rehearsal."""

from __future__ import annotations

import logging
from dataclasses import replace

from aurora_prep.pipelines.plan.recipe_plan import Plan
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.providers.whom import is_embedded, server_of
from aurora_prep.sources.spec import FetchError

LOGGER = logging.getLogger(__name__)


def recognised(context: RunContext, plan: Plan) -> RunContext:
    """The context of a run that knows who answers.

    A run whose addresses lead to the embedded provider is a rehearsal, as with
    ``--embedded``. Answers of other servers than the well-known ones are kept apart.

    Raises:
        FetchError: Some of the servers are real, and some are not.
    """
    if context.synthetic:
        return context
    asked = {
        entry.position: server_of(entry.source.access(entry.recipe.access))
        for entry in plan.sources
        if not entry.files
    }
    embedded = {server: is_embedded(server) for server in set(asked.values())}
    made_up = sorted({server for server, yes in embedded.items() if yes})
    if not made_up:
        return replace(context, servers=tuple((at, name) for at, name in asked.items() if name))
    if not all(embedded.values()):
        real = {name or "the well-known address" for name, yes in embedded.items() if not yes}
        raise FetchError(
            "some of the data would be synthetic, and some real",
            ", ".join(made_up),
            f"the embedded provider answers there; not so at {', '.join(sorted(real))}",
            "point all addresses to the real services, or rehearse all of it with --embedded",
        )
    LOGGER.warning("%s is the embedded provider: every value is synthetic", ", ".join(made_up))
    return replace(context, synthetic=True)
