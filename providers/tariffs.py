"""What requests cost at their store: asked once for each shape, learnt again from a refusal."""

from __future__ import annotations

import logging

from aurora_prep.providers.costs import product_of, shape_of
from aurora_prep.providers.credentials import CdsService
from aurora_prep.providers.desk import Desk, Tariff
from aurora_prep.providers.signs import Sign, sign_of
from aurora_prep.providers.store_client import StoreClient
from aurora_prep.providers.trouble import text_of
from aurora_prep.sources.spec import Request

LOGGER = logging.getLogger(__name__)


def too_large(request: Request, client: StoreClient, desk: Desk, known: CdsService) -> str | None:
    """Why a request would be refused for its cost; ``None`` where it would not, or nobody knows.

    The store is asked once for each dataset and format; where it does not tell, the plan's
    own numbers stand, and a refusal is learnt from.
    """
    dataset, shape, fields = _of(request)
    with desk.costing:
        if not desk.knows_tariff(dataset, shape):
            _learn(request, client, desk, known)
    tariff = desk.tariff(dataset, shape)
    if tariff is None or fields * tariff.weight <= tariff.limit:
        return None
    return f"{fields} fields cost {fields * tariff.weight:.0f}, the limit is {tariff.limit:.0f}"


def lower(request: Request, client: StoreClient, desk: Desk, known: CdsService) -> None:
    """After a refusal: the limit as the store tells it now, else half of what was asked."""
    dataset, shape, fields = _of(request)
    before = desk.tariff(dataset, shape)
    weight = before.weight if before else 1.0
    tariff = Tariff(weight, fields * weight / 2)
    try:
        cost, limit = client.cost(dataset, request.body)
        if 0 < limit < cost:
            tariff = Tariff(cost / fields, limit)
    except Exception as error:  # noqa: BLE001  # an answer would only save further refusals
        LOGGER.debug("no costs: %s", text_of(error, known))
    desk.lower(dataset, shape, tariff)


def _learn(request: Request, client: StoreClient, desk: Desk, known: CdsService) -> None:
    dataset, shape, fields = _of(request)
    try:
        cost, limit = client.cost(dataset, request.body)
    except Exception as error:  # noqa: BLE001  # an answer would only save a refusal
        LOGGER.debug("no costs: %s", text_of(error, known))
        if sign_of(error) is not Sign.AWAY:
            desk.learn(dataset, shape, None)
        return
    usable = cost > 0 and limit > 0
    desk.learn(dataset, shape, Tariff(cost / fields, limit) if usable else None)


def _of(request: Request) -> tuple[str, str, int]:
    return request.dataset, shape_of(request.body), product_of(request.body)
