"""What the store tells anybody: catalogue, processes, costs and constraints."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from aurora_prep.providers.embedded import catalogue
from aurora_prep.providers.embedded.archive import Holding
from aurora_prep.providers.embedded.call import Call, Reply
from aurora_prep.providers.embedded.catalogue import SYNTHETIC
from aurora_prep.providers.embedded.costing import cost_of
from aurora_prep.providers.embedded.faults import Faults
from aurora_prep.providers.embedded.rules import Rules
from aurora_prep.providers.embedded.selection import RefusedError, Selection, invalid, select

DISABLED_TEXT = "This dataset is closed for maintenance until further notice."
NO_PROCESS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-process"
UNLIMITED = 1e9  # what a limit that is none looks like in JSON

Route = tuple[str, str, Callable[..., Reply]]


class Public:
    """The part of the store that asks for no key.

    Args:
        held: Collections by the store's identifier.
        faults: What goes wrong.
        rules: Limits of the store.
        preliminary_from: From this time on ``expver`` is 0005.
        edition: GRIB edition to answer with.
    """

    def __init__(
        self,
        held: Mapping[str, Holding],
        faults: Faults,
        rules: Rules,
        *,
        preliminary_from: datetime,
        edition: int,
    ) -> None:
        self._holdings = held
        self._faults = faults
        self._rules = rules
        self._preliminary_from = preliminary_from
        self._edition = edition
        self.titles = {name: holding.title for name, holding in held.items()}

    def routes(self) -> list[Route]:
        """Method, path and who answers."""
        books, api = r"/api/catalogue/v1", "/api/retrieve/v1"
        return [
            ("GET", rf"{books}/messages", lambda _: Reply(200, catalogue.messages())),
            ("GET", rf"{books}/datasets", self._datasets),
            ("GET", rf"{books}/collections/([\w-]+)", self._collection),
            ("GET", rf"{books}/collections/([\w-]+)/messages", self._messages_of),
            ("GET", rf"{books}/collections/([\w-]+)/(form|constraints)\.json", self._moved),
            ("GET", r"/objects/([\w-]+)/(form|constraints)\.json", self._document),
            (
                "GET",
                rf"{books}/vocabularies/licences",
                lambda _: Reply(200, catalogue.licences()),
            ),
            ("GET", rf"{api}/processes", self._processes),
            ("GET", rf"{api}/processes/([\w-]+)", self._process),
            ("POST", rf"{api}/processes/([\w-]+)/costing", self._costing),
            ("POST", rf"{api}/processes/([\w-]+)/constraints", self._constraints),
        ]

    def holding(self, dataset: str) -> Holding:
        """A collection.

        Raises:
            RefusedError: There is none of that name.
        """
        if dataset not in self._holdings:
            raise RefusedError(
                404, "process not found", f"dataset {dataset} not found", kind=NO_PROCESS
            )
        return self._holdings[dataset]

    def _listed(self, call: Call, holding: Holding) -> dict[str, Any]:
        closed = DISABLED_TEXT if self._faults.left("disabled") else None
        return catalogue.collection(call, holding, self._rules.released(holding), closed)

    def _datasets(self, call: Call) -> Reply:
        listed = [self._listed(call, holding) for _, holding in sorted(self._holdings.items())]
        return Reply(200, {"collections": listed, "links": []})

    def _collection(self, call: Call, dataset: str) -> Reply:
        if dataset not in self._holdings:
            return Reply(404, {"code": "NotFoundError", "description": f"{dataset} not found"})
        return Reply(200, self._listed(call, self._holdings[dataset]))

    def _messages_of(self, _: Call, dataset: str) -> Reply:
        self.holding(dataset)
        return Reply(200, {"messages": []})

    def _moved(self, call: Call, dataset: str, name: str) -> Reply:
        """Forms lie in an object store, to which the catalogue leads."""
        self.holding(dataset)
        place = f"{call.base}/objects/{dataset}/{name}.json"
        return Reply(307, {}, {"Location": place})

    def _document(self, _: Call, dataset: str, name: str) -> Reply:
        holding = self.holding(dataset)
        if name == "form":
            return Reply(200, catalogue.form(holding))
        return Reply(200, [catalogue.values_of(holding)])

    def _processes(self, _: Call) -> Reply:
        listed = [{"id": name, "title": title} for name, title in sorted(self.titles.items())]
        return Reply(200, {"processes": listed, "links": []})

    def _process(self, call: Call, dataset: str) -> Reply:
        holding = self.holding(dataset)
        process = f"{call.base}{call.path}"
        body = {
            "id": dataset,
            "title": holding.title,
            "description": SYNTHETIC,
            "version": "1.0.0",
            "jobControlOptions": ["async-execute"],
            "outputTransmission": ["reference"],
            "links": [
                {"rel": "self", "href": process},
                {"rel": "execute", "href": f"{process}/execution"},
            ],
        }
        return Reply(200, body, {"Cache-Control": "public, max-age=60"})

    def select(self, holding: Holding, inputs: dict[str, Any]) -> Selection:
        """A request as the store understands it.

        Raises:
            RefusedError: It does not.
        """
        return select(
            holding,
            inputs,
            now=self._rules.released(holding),
            preliminary_from=self._preliminary_from,
            edition=self._edition,
        )

    def _costing(self, call: Call, dataset: str) -> Reply:
        holding, inputs = self.holding(dataset), inputs_of(call)
        limit = min(self._rules.cost_limit(holding), UNLIMITED)
        body: dict[str, Any] = {"id": "size", "cost": cost_of(dataset, inputs), "limit": limit}
        try:
            self.select(holding, inputs)
        except RefusedError as refused:
            body |= {"request_is_valid": False, "invalid_reason": refused.detail}
        return Reply(200, body)

    def _constraints(self, call: Call, dataset: str) -> Reply:
        holding = self.holding(dataset)
        found = catalogue.constraints(holding, inputs_of(call), self._rules.released(holding))
        return Reply(200, found)


def inputs_of(call: Call) -> dict[str, Any]:
    """What a body asks.

    Raises:
        RefusedError: It is no request.
    """
    inputs = call.body.get("inputs") if isinstance(call.body, dict) else None
    if not isinstance(inputs, dict):
        raise invalid("the body holds no object 'inputs'")
    return inputs
