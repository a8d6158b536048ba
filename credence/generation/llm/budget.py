"""The money a run may spend: reserved before each call, settled after it, never overshot."""

from typing import Protocol

from credence.core.errors import InputError
from credence.generation.llm.notifier import Notifier
from credence.generation.llm.prices import DOLLAR, dollars

WARN_AT = 0.8


class BudgetExhausted(Exception):
    """What is left does not pay for one more call, and nothing is in flight that could give some back."""


class ReservationStore(Protocol):
    """Where reservations outlive the process, so that a killed run's open calls count as spent: the ledger."""

    async def reserve_async(self, request_id: str, cost: int) -> str:
        """Hold a cost; returns the reservation's name, by which the call's record settles it."""

    def release(self, reservation: str) -> None:
        """The call was not made after all."""


class Reservation:
    """Money set aside for one call. Settle or release it exactly once. `name`: its reservation in the journal."""

    def __init__(self, budget: "Budget", amount: int, name: str | None) -> None:
        self._budget, self.amount, self.name = budget, amount, name
        self._closed = False

    def settle(self, cost: int) -> int:
        """Charge what the call cost; the rest is free again."""
        return self._close(cost)

    def settle_in_full(self) -> int:
        """Charge everything: nobody knows what the call cost."""
        return self._close(self.amount)

    def release(self) -> None:
        """The call was never made."""
        self._close(0)
        if self.name and self._budget.journal:
            self._budget.journal.release(self.name)

    def _close(self, cost: int) -> int:
        if self._closed:
            raise RuntimeError("this money has been settled before")
        self._closed = True
        self._budget.settle(self.amount, cost)
        return cost


class Budget:
    """A limit in dollars, or none. `spent` is what earlier runs on the same ledger have spent."""

    def __init__(
        self, budget_usd: float | None = None, *, spent: int = 0, journal: ReservationStore | None = None
    ) -> None:
        if budget_usd is not None and not 0 <= budget_usd < float("inf"):
            raise InputError(
                f"budget_usd is {budget_usd}; expected a number of dollars from 0 up, or null for no limit."
            )
        self.limit = None if budget_usd is None else round(budget_usd * DOLLAR)
        self.spent = spent
        self.journal = journal
        self.reserved = 0
        self._changed = Notifier()

    def check(self, most: int, model: str) -> None:
        """Raise BadInput where the whole budget would not pay for one call."""
        if self.limit is not None and most > self.limit:
            raise InputError(
                f"budget_usd is {dollars(self.limit)}, and a single call to {model} may cost {dollars(most)}; "
                f"raise budget_usd, lower max_tokens or choose a cheaper model."
            )

    async def reserve(self, most: int, request_id: str = "") -> Reservation:
        """Set money aside, waiting for calls in flight to give some back. Raises Spent when there is no hope."""
        while not self.fits(most):
            if self.reserved == 0:
                raise BudgetExhausted
            await self._changed.wait()
        self.reserved += most
        try:
            # What costs nothing need not be remembered.
            name = await self.journal.reserve_async(request_id, most) if self.journal and most else None
        except BaseException:
            self.settle(most, 0)
            raise
        return Reservation(self, most, name)

    def fits(self, most: int) -> bool:
        """Whether a call of at most this cost is within the limit, whatever those in flight turn out to cost."""
        return self.limit is None or self.spent + self.reserved + most <= self.limit

    def settle(self, reserved: int, cost: int) -> None:
        """Turn a reservation into a cost."""
        self.reserved -= reserved
        self.spent += cost
        self._changed.notify_all()

    @property
    def remaining(self) -> int | None:
        """Nanodollars neither spent nor reserved; None without a limit."""
        return None if self.limit is None else max(0, self.limit - self.spent - self.reserved)

    @property
    def nearly_spent(self) -> bool:
        """Whether four fifths are gone."""
        return self.limit is not None and self.spent >= WARN_AT * self.limit
