"""The plan of the way back from a lock-down, made with it: nothing is taken from everyone without one."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from runbooks.actions.models import Action, RestorationStage
from runbooks.actions.operations.locking import WrongStatusError
from runbooks.directory.models import Account
from runbooks.errors import DomainError
from runbooks.presentation import number

Selector = RestorationStage.Selector
STAGES_MAX, PILOT, TITLE_MAX, NAMES_MAX = 20, 25, 120, 20_000


class BadPlanError(DomainError):
    """The stages do not make a way back."""

    status = 400


class NotPlannedError(DomainError):
    """A lock-down without a way back."""


@dataclass(frozen=True, slots=True)
class StagePlan:
    """A stage as somebody plans it. `names` are logins or departments, by the selector.

    `size` None takes all that are selected; `stop_after` is how many accounts seen harmed again the next stage bears.
    """

    title: str
    selector: str
    names: Sequence[str] = ()
    size: int | None = None
    planned_at: datetime | None = None
    stop_after: int = 0


def default_plan() -> list[StagePlan]:
    """Pilot, those with two-step sign-in, members, rest. Whom the pilot names is for people to say."""
    members = Account.objects.filter(department__iendswith="members", gone_at__isnull=True)
    departments = sorted(set(members.order_by().values_list("department", flat=True).distinct()))
    plan = [
        StagePlan("Pilot", Selector.NAMED, size=PILOT),
        StagePlan("Those with two-step sign-in", Selector.SECOND_FACTOR),
        StagePlan("Members", Selector.DEPARTMENTS, names=departments),
        StagePlan("Everybody left", Selector.REST),
    ]
    return [stage for stage in plan if stage.selector != Selector.DEPARTMENTS or stage.names]


def write_plan(lock_down: Action, plan: Sequence[StagePlan]) -> None:
    """Make the stages what the plan says, in its order. A stage that was drafted before keeps its row."""
    known = {stage.position: stage for stage in RestorationStage.objects.filter(lock_down=lock_down)}
    for position, wanted in enumerate(plan, start=1):
        stage = known.pop(position, None) or RestorationStage(lock_down=lock_down, position=position)
        stage.title, stage.selector, stage.names = wanted.title, wanted.selector, list(wanted.names)
        stage.size, stage.planned_at, stage.stop_after = wanted.size, wanted.planned_at, wanted.stop_after
        stage.save()
    left_out = [stage.pk for stage in known.values()]
    drafted = Action.objects.filter(stage__in=left_out).select_related("stage").first()
    if drafted is not None:
        raise WrongStatusError(
            f"Action {drafted.number} was drafted for stage {drafted.stage and drafted.stage.position}, "
            "so the plan keeps as many stages. Change that one instead of leaving it out."
        )
    RestorationStage.objects.filter(pk__in=left_out).delete()


def checked_plan(plan: Sequence[StagePlan]) -> list[StagePlan]:
    """The plan with its texts trimmed. Raises BadPlanError for what leaves somebody out, or cannot be told apart."""
    if not plan:
        raise BadPlanError("Plan one stage at least.")
    if len(plan) > STAGES_MAX:
        raise BadPlanError(f"Plan {STAGES_MAX} stages at most.")
    stages = [_checked_stage(position, stage) for position, stage in enumerate(plan, start=1)]
    if stages[-1].selector != Selector.REST or stages[-1].size is not None:
        raise BadPlanError("The last stage takes everybody left, without a size: or some would never come back.")
    return stages


def _checked_stage(position: int, stage: StagePlan) -> StagePlan:
    title = stage.title.strip()
    if not title or len(title) > TITLE_MAX:
        raise BadPlanError(f"Give stage {position} a title of at most {TITLE_MAX} characters.")
    if stage.selector not in Selector.values:
        raise BadPlanError(f"Say who is in stage {position}, “{title}”.")
    if stage.size is not None and stage.size < 1:
        raise BadPlanError(f"The size of stage {position} is 1 or more, or empty for all.")
    if stage.stop_after < 0:
        raise BadPlanError(f"The stop rule of stage {position} is 0 or more accounts.")
    names = list(dict.fromkeys(name.strip() for name in stage.names if name.strip()))
    if stage.selector == Selector.REST:
        names = []
    if len(names) > NAMES_MAX or any(len(name) > 320 for name in names):
        raise BadPlanError(f"Stage {position} names too many, or something that is no name.")
    return StagePlan(title, stage.selector, names, stage.size, stage.planned_at, stage.stop_after)


def plan_in_words(plan: Sequence[StagePlan]) -> str:
    return ", then ".join(
        f"“{stage.title}”" + (f" (at most {number(stage.size)})" if stage.size is not None else "") for stage in plan
    )
