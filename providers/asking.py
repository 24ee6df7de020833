"""One question to a data store, asked until there is an answer worth acting on."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from aurora_prep.providers.credentials import CdsService
from aurora_prep.providers.outage import Breaker
from aurora_prep.providers.progress import Step
from aurora_prep.providers.retry import Patience
from aurora_prep.providers.signs import Sign, sign_of
from aurora_prep.providers.trouble import link_of, retry_after, text_of

Answer = TypeVar("Answer")
Given = ParamSpec("Given")

# Signs that do not show that a data store is at the address.
SILENT = (Sign.STRANGE, Sign.ADDRESS, Sign.CERTIFICATE)


class SignError(Exception):
    """The store's answer is a sign that the table of reactions knows.

    Attributes:
        sign: Which one.
        text: What the store said, on one line, without secrets.
        place: A link from its answer, where it gives one.
    """

    def __init__(self, sign: Sign, text: str, place: str = "") -> None:
        super().__init__(sign, text)
        self.sign = sign
        self.text = text
        self.place = place


class LostError(Exception):
    """A submission got no answer: there may be a job.

    Attributes:
        sign: What came in its place.
        text: The same for people.
    """

    def __init__(self, sign: Sign, text: str) -> None:
        super().__init__(sign, text)
        self.sign = sign
        self.text = text


@dataclass(frozen=True, slots=True)
class Asker:
    """Puts questions to a store for one request.

    Attributes:
        known: Whose key must not show.
        breaker: Whether the store is there.
        patience: How long to ask.
        retrying: Told why a question is put again.
    """

    known: CdsService
    breaker: Breaker
    patience: Patience
    retrying: Callable[[Step, str], None]

    def ask(
        self, doing: str, call: Callable[Given, Answer], *args: Given.args, **more: Given.kwargs
    ) -> Answer:
        """Call, waiting out rate limits and outages.

        Raises:
            SignError: The store answered something else than asked for.
            NotAskedError: Time is up, or the run was stopped.
        """
        return self._ask(doing, lambda: call(*args, **more), of_a_job=False, once=False)

    def ask_of_job(
        self, doing: str, call: Callable[Given, Answer], *args: Given.args, **more: Given.kwargs
    ) -> Answer:
        """As ``ask``, about a job: then "not allowed" says whose it is."""
        return self._ask(doing, lambda: call(*args, **more), of_a_job=True, once=False)

    def submit(
        self, doing: str, call: Callable[Given, Answer], *args: Given.args, **more: Given.kwargs
    ) -> Answer:
        """As ``ask``, but never again after a call that may have been heard.

        Raises:
            LostError: There was no answer.
        """
        return self._ask(doing, lambda: call(*args, **more), of_a_job=False, once=True)

    def _ask(self, doing: str, call: Callable[[], Answer], *, of_a_job: bool, once: bool) -> Answer:
        policy, breaker = self.patience.policy, self.breaker
        hasty = strange = 0
        while True:
            with breaker.turn(self.patience):
                try:
                    answer = call()
                except Exception as error:  # noqa: BLE001  # the client raises many kinds
                    sign = sign_of(error, of_a_job=of_a_job, ever_worked=breaker.ever_worked)
                    text = f"{doing}: {text_of(error, self.known)}"
                    if sign is Sign.AWAY:
                        breaker.failed(self.patience, text)
                    elif sign is Sign.TOO_FAST:
                        hasty += 1
                        wait = max(policy.wait(hasty), retry_after(error))
                        breaker.worked()
                        breaker.hush(wait * random.uniform(1.0, 1.1))  # noqa: S311  # no secret
                    elif sign is Sign.STRANGE and strange + 1 < policy.attempts:
                        strange += 1
                    else:
                        if sign not in SILENT:
                            breaker.worked()
                        raise SignError(sign, text, link_of(error, self.known)) from None
                else:
                    breaker.worked()
                    return answer
            self.retrying(Step.RETRYING, text)
            if sign is Sign.STRANGE:
                self.patience.pause(policy.wait(strange))
            if once and sign is not Sign.TOO_FAST:
                raise LostError(sign, text)
