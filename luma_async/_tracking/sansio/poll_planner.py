"""Which ids to ask for, when, and what follows from how that ended.

Ordinarily an id is asked for together with others, at the time that the `Schedule` finds. Some
stand apart: those of a request that failed for what it may hold, which are asked for again in
halves until the one is found that spoils it, and those that are asked for alone.
"""

import random
from collections.abc import Callable, Collection, Sequence

from attrs import define, field

from luma_async._api.sansio.retry import Meaning
from luma_async._tracking.sansio.backpressure import Pressure
from luma_async._tracking.sansio.batch_size import RequestSize
from luma_async._tracking.sansio.bisection import Bisection
from luma_async._tracking.sansio.duration_models import Experience, Kind
from luma_async._tracking.sansio.isolated_queue import Alone
from luma_async._tracking.sansio.poll_state import Plan, Question
from luma_async._tracking.sansio.schedule import Schedule
from luma_async.settings import PollPolicy

_MOST_DOUBLINGS = 20
_MOST_LEFT = 10_000


@define(eq=False)
class Cadence:
    """Plans the status requests of one client. Times are seconds of any steady clock.

    Attributes:
        size: How many ids a request may hold.
        experience: How long generations take.
    """

    _policy: PollPolicy
    _ids_per_request: int
    _chance: Callable[[], float] = random.random
    size: RequestSize = field(init=False)
    experience: Experience = field(init=False)
    _pressure: Pressure = field(init=False)
    _schedule: Schedule = field(init=False)
    _bisection: Bisection = field(factory=Bisection, init=False)
    _alone: Alone = field(factory=Alone, init=False)
    _plans: dict[str, Plan] = field(factory=dict, init=False)
    # One that is given up while it is asked for, and wanted again, waits for the answer.
    _under_way: set[str] = field(factory=set, init=False)
    _requests: int = field(default=0, init=False)
    _left: dict[str, Plan] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.size = RequestSize(self._ids_per_request)
        self.experience = Experience(self._policy)
        self._pressure = Pressure(self._policy, self._chance)
        self._schedule = Schedule(self._policy, self._pressure, self._ids_per_request, self._chance)

    def add(
        self,
        name: str,
        now: float,
        *,
        age: float = 0.0,
        certain: bool = False,
        kind: Kind = "create",
        estimate: float | None = None,
    ) -> bool:
        """Begin to ask for an id that is not asked for yet.

        One that was asked for before, and given up before its end, is taken up where it was left:
        who waits in many short waits neither asks more often nor starts anew each time.

        Args:
            name: The id.
            now: The time.
            age: For how many seconds it has existed.
            certain: Whether that is known for certain, and that it was unfinished at first.
            kind: What was ordered.
            estimate: What the service expects, in seconds from its beginning if that is certain.

        Returns:
            Whether it is new.
        """
        is_new = name not in self._left
        if (plan := self._left.pop(name, None)) is None:
            origin = now - age
            hazard, unit = self.experience.of(kind), self.experience.unit
            plan = Plan(name, hazard, origin, unit, origin, certain)
            plan.earliest = origin + self._policy.min_interval
            self._take_estimate(plan, origin if certain else now, estimate)
        self._plans[name] = plan
        if name not in self._under_way:
            self._put([plan], now)
        return is_new

    def discard(self, name: str) -> None:
        """Stop asking for an id."""
        if (plan := self._plans.pop(name, None)) is not None:
            self._withdraw(plan)
            if not plan.ended:
                self._left[name] = plan
                if len(self._left) > _MOST_LEFT:
                    del self._left[next(iter(self._left))]

    def hasten(self, name: str, now: float) -> None:
        """Make an id due now, unless it is being asked for at this moment."""
        plan = self._plans[name]
        if plan.alone_at is not None:
            self._alone.put(plan, now)
        elif plan.entry is not None:
            self._withdraw(plan)
            self._schedule.force(plan, now)

    def isolate(self, name: str, now: float) -> None:
        """Ask for an id in a request of its own, now: what it holds is for certain."""
        if name not in self._under_way:
            self._withdraw(self._plans[name])
            self._alone.put(self._plans[name], now)

    def next_request(self, now: float) -> float | None:
        """Return the time of the next request; None where nothing is to be asked for."""
        # While the service fails, one request at a time looks whether it is back.
        if self._pressure.is_pausing and self._requests:
            return None
        while self._bisection and self._plans.keys().isdisjoint(self._bisection.first.names):
            self._bisection.next()
        times = [] if (due := self._alone.due) is None else [due]
        if self._bisection:
            times.append(now)
        if self._schedule:
            times.append(self._schedule.due(now))
        return max(min(times), self._pressure.not_before) if times else None

    def take(self, now: float) -> Question | None:
        """Choose the ids of a request that is made now; None if it is not time for one.

        Each question is ended by `answered` or `failed`.
        """
        due = self.next_request(now)
        if due is None or due > now:
            return None
        question = self._question(now)
        if question is not None:
            self._under_way.update(question.names)
            self._requests += 1
        return question

    def _question(self, now: float) -> Question | None:
        while self._bisection:
            suspects = self._bisection.next()
            wanted = [self._plans[name] for name in suspects.names if name in self._plans]
            for plan in wanted:
                self._withdraw(plan)
            suspects.names = names = [plan.name for plan in wanted]
            if 0 < len(names) <= self.size.most:
                return Question(names, now, "to find the id that spoils requests", suspects)
            # The size of a request has been learned since.
            self._put(wanted, now)
        # While nothing is answered, those who spoil requests are not to be all that is tried.
        plans = self._schedule.take(now) if self._pressure.is_pausing else ()
        if not plans and (lone := self._alone.take(now)) is not None:
            reason = "to hear of that id alone"
            return Question([lone.name], now, reason, alone=True, company=lone.company)
        plans = plans or self._schedule.take(now)
        reason = "as they have probably waited long enough together"
        if any(plan.forced or now - plan.asked >= self._policy.max_interval for plan in plans):
            reason = "as one of them is to wait no longer"
        return Question([plan.name for plan in plans], now, reason) if plans else None

    def finished(self, name: str, now: float) -> float | None:
        """Learn that an id has ended by now.

        Returns:
            How many seconds ago that probably was, on average; None where nobody can know.
        """
        return plan.finished(now) if (plan := self._plans.get(name)) is not None else None

    def unfinished(
        self,
        name: str,
        asked_at: float,
        *,
        age: float | None = None,
        estimate: float | None = None,
    ) -> None:
        """Learn that an id had not ended when it was asked for.

        Args:
            name: The id.
            asked_at: When it was asked for.
            age: How old it was then, in seconds, where the answer tells.
            estimate: How many seconds the service expects it to take from then.
        """
        if (plan := self._plans.get(name)) is not None:
            plan.unfinished(asked_at)
            if not plan.certain and age is not None:
                plan.origin, plan.certain = asked_at - age, True
            self._take_estimate(plan, asked_at, estimate)

    def videoless(self, name: str, now: float) -> None:
        """Learn that an id has ended by now, though its video is not there yet."""
        if (plan := self._plans.get(name)) is not None:
            plan.videoless(now, self._policy.video_grace)

    def answered(self, question: Question, now: float, found: Collection[str]) -> None:
        """End a question that was answered.

        Args:
            question: Which.
            now: The time.
            found: The ids that the answer holds. What it says of them is told before, by
                `finished`, `unfinished` and `videoless`.
        """
        self._requests -= 1
        self._pressure.answered()
        self._bisection.encouraged()
        absent = [name for name in question.names if name not in found]
        missed = [name for name in absent if name in self._plans and self._plans[name].met]
        self.size.answered(question.names, found, missed)
        if question.suspects is not None:
            self.size.doubted(self._bisection.answered(question.suspects))
        if found:
            # It may have been missing where others were asked for, and is there by itself.
            self.size.doubted(question.company)
        plans = self._returned(question)
        for plan in plans:
            plan.failures = 0
            plan.met = plan.met or plan.name in found
            plan.company = len(question.names) if plan.name not in found else 0
            plan.asked = max(plan.asked, question.asked_at)
            plan.earliest = now + self._policy.min_interval
        self._put(plans, now)
        self._schedule.resize(self.size.most)

    def failed(
        self,
        question: Question,
        now: float,
        meaning: Meaning,
        *,
        failure: object = None,
        retry_after: float | None = None,
    ) -> str | None:
        """End a question that was not answered.

        Args:
            question: Which.
            now: The time.
            meaning: What the failure says.
            failure: How it failed, to tell whether it fails alike again.
            retry_after: The seconds for which the service asked to be left alone.

        Returns:
            The id that is to blame, where there is one: it was asked for alone, and the service
            refused that, or failed though others were answered meanwhile and none failed.
        """
        self._requests -= 1
        plans = self._returned(question)
        if meaning is Meaning.TOO_LARGE and len(question.names) > 1:
            self.size.refused(len(question.names))
            self._schedule.resize(self.size.most)
            for plan in plans:
                self._schedule.force(plan, now)
            return None
        if question.suspects is None and not question.alone:
            self._pressure.troubled()
        if len(question.names) > 1 or not (meaning is Meaning.REFUSED or self._is_well(plans)):
            limited = meaning is Meaning.LIMITED
            self._pressure.failed(question.asked_at, now, limited=limited, retry_after=retry_after)
        if not meaning.may_be_for_ids:
            if question.alone:
                for plan in plans:
                    self._alone.put(plan, now + self._policy.min_interval)
            else:
                self._put(plans, now)
            return None
        if len(question.names) > 1:
            if question.suspects is None:
                refused = meaning is Meaning.REFUSED
                self._bisection.accuse(question.names, failure, refused=refused)
            else:
                self._bisection.failed(question.suspects, failure)
            return None
        return self._failed_alone(plans, now, meaning)

    def seconds_left(self, name: str, now: float) -> float | None:
        """Return in how many seconds an id will more likely have ended than not."""
        return self._plans[name].seconds_left(now)

    def _failed_alone(self, plans: Sequence[Plan], now: float, meaning: Meaning) -> str | None:
        blamed = None
        for plan in plans:
            if meaning is Meaning.REFUSED or self._is_well(plans):
                blamed = plan.name
                self._bisection.encouraged()
            plan.noted = self._pressure.counts
            plan.failures = min(plan.failures + 1, _MOST_DOUBLINGS)
            shortest, longest = self._policy.min_interval, self._policy.max_interval
            self._alone.put(plan, now + min(shortest * 2 ** (plan.failures - 1), longest))
        return blamed

    def _is_well(self, plans: Sequence[Plan]) -> bool:
        """Whether the service has been well for others since these failed last."""
        return any(plan.failures and self._pressure.is_well_since(plan.noted) for plan in plans)

    def _returned(self, question: Question) -> Sequence[Plan]:
        """Return the plans of a question that has ended, those of them that are still wanted."""
        self._under_way.difference_update(question.names)
        plans = [self._plans[name] for name in question.names if name in self._plans]
        return [plan for plan in plans if plan.entry is None and plan.alone_at is None]

    def _take_estimate(self, plan: Plan, now: float, estimate: float | None) -> None:
        shortest = self._policy.min_interval
        plan.take_estimate(now, estimate, shortest, self.experience.estimated)

    def _put(self, plans: Sequence[Plan], now: float) -> None:
        self._schedule.put(plans, now, len(self._plans))

    def _withdraw(self, plan: Plan) -> None:
        plan.alone_at = None
        self._schedule.withdraw(plan)
