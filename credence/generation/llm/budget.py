"""The budget of a run: reserve the maximum cost before each call, settle it after, never exceed the limit."""

from typing import Protocol

from credence.core.errors import InputError
from credence.generation.llm.notifier import Notifier
from credence.generation.llm.prices import DOLLAR, dollars

WARN_AT = 0.8


class BudgetExhausted(Exception):
    """The rest does not pay for another call, and no call is in progress that could release money."""


class ReservationStore(Protocol):
    """Stores reservations on disk (the ledger), so that open calls of a killed run count as spent."""

    async def reserve_async(self, request_id: str, cost: int) -> str:
        """Store a reservation in nanodollars and return its name, by which the call's record settles it."""

    def release(self, reservation: str) -> None:
        """Delete the reservation of a call that was not sent."""


class Reservation:
    """Nanodollars reserved for one call. Settle or release it exactly once.

    Args:
        budget: The budget it belongs to.
        amount: Nanodollars.
        name: Its name in the journal; None if it is not stored there.
    """

    def __init__(self, budget: "Budget", amount: int, name: str | None) -> None:
        self._budget, self.amount, self.name = budget, amount, name
        self._closed = False

    def settle(self, cost: int) -> int:
        """Charge the actual cost, release the rest, and return the cost."""
        return self._close(cost)

    def settle_in_full(self) -> int:
        """Charge the whole reservation, because the actual cost is unknown, and return it."""
        return self._close(self.amount)

    def release(self) -> None:
        """Release the reservation of a call that was not sent."""
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
    """A limit on cost.

    Args:
        budget_usd: US dollars; None means no limit.
        spent: Nanodollars that earlier runs on the same ledger have spent.
        journal: Where reservations are stored.

    Raises:
        InputError: `budget_usd` is negative or infinite.
    """

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
        """Check that the whole budget would pay for one call.

        Args:
            most: Maximum cost of the call in nanodollars.
            model: The model, for the message.

        Raises:
            InputError: It would not.
        """
        if self.limit is not None and most > self.limit:
            raise InputError(
                f"budget_usd is {dollars(self.limit)}, and a single call to {model} may cost {dollars(most)}; "
                f"raise budget_usd, lower max_tokens or choose a cheaper model."
            )

    async def reserve(self, most: int, request_id: str = "") -> Reservation:
        """Reserve the maximum cost of a call; waits until calls in progress release money if necessary.

        Args:
            most: Nanodollars.
            request_id: The request.

        Raises:
            BudgetExhausted: The rest does not suffice and no call is in progress.
        """
        while not self.fits(most):
            if self.reserved == 0:
                raise BudgetExhausted
            await self._changed.wait()
        self.reserved += most
        try:
            # Free calls need no stored reservation.
            name = await self.journal.reserve_async(request_id, most) if self.journal and most else None
        except BaseException:
            self.settle(most, 0)
            raise
        return Reservation(self, most, name)

    def fits(self, most: int) -> bool:
        """Return whether a call of at most this cost is within the limit, with all reservations counted in full."""
        return self.limit is None or self.spent + self.reserved + most <= self.limit

    def settle(self, reserved: int, cost: int) -> None:
        """Replace a reservation by an actual cost (both in nanodollars)."""
        self.reserved -= reserved
        self.spent += cost
        self._changed.notify_all()

    @property
    def remaining(self) -> int | None:
        """Return the nanodollars neither spent nor reserved; None without a limit."""
        return None if self.limit is None else max(0, self.limit - self.spent - self.reserved)

    @property
    def nearly_spent(self) -> bool:
        """Return whether 80 % of the limit is spent."""
        return self.limit is not None and self.spent >= WARN_AT * self.limit
