# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A wrapper that makes any strategy of Flower exact: the same training always computes the same bytes.

It holds the strategy (as Flower's differential-privacy wrappers do) and inherits ``start``. Around each call it
passes the true round number, samples nodes by the seed, sorts replies by site (floating-point sums depend on their
order), leaves out bad replies, keeps the model's names, shapes and dtypes, and counts what came back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
from flwr.app import ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy

from . import foreign, guards
from .arithmetic import Aggregated, Arithmetic
from .attendance import Attendance
from .configs import EVALUATE, TRAIN, RoundConfigs
from .errors import NodesUnavailableError, RunFailedError
from .flaws import MOST_EXAMPLES, plain
from .foreign import ForeignCheck
from .grid import SteadyGrid
from .guards import Rejection, site_of
from .integrity import FINGERPRINT, fingerprint
from .knowledge._base.jsonable import is_number
from .knowledge._config.strategies import least_replies_trimmed, trimmed
from .measured import mean_of_finite, measured, not_finite
from .one_round import Guard, Round
from .publish import logger
from .reports import FAILED, MOST_TOLD, REJECTED, Reports, way
from .sites import Site, Sites
from .steering import Steer
from .weights import Claims

_REASONS = 20  # that are told of a round; all of them are in the history

RETRY_PAUSES = (1.0, 5.0, 15.0, 45.0)  # seconds before each repetition of a round


class ExactStrategy(Strategy):
    """One strategy of Flower, resumed after ``rounds_done`` rounds."""

    def __init__(
        self,
        strategy: Strategy,
        guard: Guard,
        seed: int,
        rounds_done: int = 0,
        arithmetic: Arithmetic | None = None,
        attendance: Attendance | None = None,
        steer: Steer | None = None,
        configs: RoundConfigs | None = None,
    ) -> None:
        self.strategy = strategy
        self.rounds_done = rounds_done
        self.last_aggregated = 0  # the number of the last round that made progress in this run; 0: none yet
        self.asked_nobody = True  # to train: a strategy may only evaluate
        self.round = Round(rounds_done)
        self._guard = guard
        self._seed = seed
        self._arithmetic = arithmetic or Arithmetic()
        self._private = self._arithmetic.private
        self._attendance = attendance
        self._steer = steer or Steer(None)
        # Flower's holds the first model to the end, and the replies of a round until there are those of the next: both
        # are emptied. What another one does with them nobody knows.
        self._is_flowers_start = type(strategy).start is Strategy.start
        self._configs = configs  # None: the strategy is ours, and changes nothing there
        self._claims = Claims(attendance.claims if attendance else {}, self._pseudonym)
        self._evaluated = Claims(attendance.evaluated if attendance else {}, self._pseudonym)
        self._sites: dict[int, Site] = {}  # of the newest replies, by node

    def summary(self) -> None:
        """Let the strategy describe itself."""
        self.strategy.summary()

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Choose the nodes that train."""
        self.round = Round(self.rounds_done + server_round)
        self._asked = (arrays, config, grid)
        if self._configs:
            self._configs.begin(TRAIN, config)
        logger.info("Round %d begins", self.round.number)
        if self._attendance is None or not isinstance(grid, SteadyGrid):
            return self._ask(attempt=0)
        self._attendance.rejoin(self.round.number, grid)
        messages = self._ask(attempt=0)
        self._attendance.begins(self.round.number, grid.online, grid)
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """Make one model of the replies, when there are enough of them."""
        if self._guard.foreign and not self.round.asked:
            return None, None  # the strategy wants no training in this round
        ordered = self._enough(self._counted(self._made_up(self._taken(replies))))
        self.round.spent("training")
        if ordered is None:
            return None, None
        self._check_trimming()
        self._tell_claims(ordered)
        made = self._arithmetic.aggregate(self.strategy, self.round.number, self._asked[0], ordered)
        arrays, metrics = made.arrays, self._of_finite(made, ordered)
        if arrays is None:
            self._tell_nothing_aggregated()
            return None, metrics
        if foreign.same_layout(arrays, self._asked[0]) or not self._guard.foreign:
            arrays = self._arithmetic.like(arrays, self._asked[0])
        else:
            arrays = ArrayRecord(dict(arrays))  # a strategy such as one of trees has a model that grows
        self._tell_kept(made)
        self._check_finite(arrays)
        self.round.update_norm = way(arrays, self._asked[0], self._arithmetic.parameters(self._asked[0]))
        self.round.aggregated = True
        self.round.returned[TRAIN], self.round.train_metrics = metrics, measured(metrics)
        self.last_aggregated = self.round.number
        self._let_go_of_the_old_model()
        return arrays, metrics

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> Iterable[Message]:
        """Choose the nodes that evaluate."""
        self.round.spent("aggregation")
        if self._configs:
            self._configs.begin(EVALUATE, config)
        self._prepare(arrays, config, grid)
        with _seeded(f"{self._seed}/{self.round.number}/evaluate"):
            given = ArrayRecord(dict(arrays))
            # At once, because what is yielded later would be drawn without the seed.
            return list(self.strategy.configure_evaluate(self.round.number, given, config, grid))

    def aggregate_evaluate(self, server_round: int, replies: Iterable[Message]) -> MetricRecord | None:
        """Average the metrics of the evaluation."""
        self.round.spent("evaluation")
        check = self._foreign_check("aggregate_evaluate", None) if self._guard.foreign else guards.check_evaluation
        ordered, rejected = self._sifted(replies, check, "evaluate")
        failed = self._errors(ordered, "evaluate")
        self.round.rejected = [*self.round.rejected, *rejected]
        self.round.failed = [*self.round.failed, *failed]
        for reply in ordered:
            if not reply.has_error():
                self.round.reports.evaluated(self._name_of(reply), reply.content)
        self.round.reports.left_out(rejected, REJECTED)
        self.round.reports.left_out(failed, FAILED)
        self.round.num_examples = int(sum(_claim(reply) for reply in ordered))
        self._tell_evaluation_claims(ordered)
        self._arithmetic.weigh(ordered)
        metrics = self.strategy.aggregate_evaluate(self.round.number, ordered)
        self.round.returned[EVALUATE], self.round.metrics = metrics, measured(metrics)
        return metrics

    def _ask(self, attempt: int) -> Iterable[Message]:
        arrays, config, grid = self._asked
        if self._configs and self.round.asked_nodes:
            self._configs.again(TRAIN)
        self._prepare(arrays, config, grid)
        if self._private:
            self._private.asks(self.round.number)
        self._steer.prepare(self.round.number, self.strategy, config)
        with _seeded(f"{self._seed}/{self.round.number}/train/{attempt}"):
            # A record of its own: ours is emptied when the round has made a new model, and it may keep what it gets.
            given = ArrayRecord(dict(arrays))
            messages = list(self.strategy.configure_train(self.round.number, given, config, grid))
        if isinstance(grid, SteadyGrid):
            grid.store_model(arrays, messages)
        messages = self._steer.addressed(messages, self._known_sites.name)
        self._arithmetic.prepare(self.strategy)
        self.round.asked_nodes = [message.metadata.dst_node_id for message in messages]
        self.asked_nobody &= not messages
        return messages

    def _prepare(self, arrays: ArrayRecord, config: ConfigRecord, grid: Grid) -> None:
        """Begin the wait for nodes, and tell ClientApps of ours what they are to receive."""
        if isinstance(grid, SteadyGrid):
            grid.begin_wait()
        if not self._guard.foreign:
            config[FINGERPRINT] = fingerprint(arrays)

    def _check_of_training(self) -> guards.TrainingCheck | ForeignCheck:
        if self._guard.foreign:
            return self._foreign_check("aggregate_train", self._asked[0])
        return guards.TrainingCheck(
            model=self._asked[0],
            loss_key=getattr(self.strategy, "train_loss_key", ""),
            max_update_norm=self._guard.max_update_norm,
            buffers=self._arithmetic.buffers,
        )

    def _foreign_check(self, method: str, model: ArrayRecord | None) -> ForeignCheck:
        return ForeignCheck(
            taken=foreign.taken(self.strategy, method),
            weight=foreign.weight_of(self.strategy),
            model=model,
            loss_key=foreign.loss_of(self.strategy) if model is not None else "",
            max_update_norm=self._guard.max_update_norm,
        )

    def _counted(self, replies: Iterable[Message]) -> list[Message]:
        check = self._check_of_training()
        arrived = list(replies)
        ordered, self.round.rejected = self._sifted(arrived, check, "train")
        silent = self._silent(arrived)
        self.round.failed = [*self._errors(ordered, "train"), *silent]
        self.round.unavailable = len(silent) + sum(_is_unavailable(reply) for reply in ordered)
        self.round.counted_nodes = [self._node(reply) for reply in ordered if not reply.has_error()]
        self.round.reports = self._reported(ordered)
        self._steer.report(self.round)
        return ordered

    def _reported(self, ordered: Iterable[Message]) -> Reports:
        """Tell of each site while its reply is there: a strategy may empty it."""
        reports, model = Reports(), self._asked[0]
        parameters = self._arithmetic.parameters(model)
        for reply in ordered:
            if not reply.has_error():
                reports.trained(self._name_of(reply), reply.content, model, parameters)
        reports.left_out(self.round.rejected, REJECTED)
        reports.left_out(self.round.failed, FAILED)
        return reports

    def _sifted(
        self, replies: Iterable[Message], check: Callable[[RecordDict], str], work: str
    ) -> tuple[list[Message], list[Rejection]]:
        likeness = check.likeness if isinstance(check, ForeignCheck) else guards.metric_names
        kept, rejected = guards.sift(self._in_order(replies), check, self._name_of, work, likeness)
        for rejection in rejected:
            logger.warning(
                "Round %d: what %s replied to %s is rejected: %s.",
                self.round.number,
                rejection.site,
                rejection.work,
                rejection.reason,
            )
        return kept, rejected

    def _in_order(self, replies: Iterable[Message]) -> list[Message]:
        """Return replies in the order of their sites, and remember whose they are."""
        plain = [guards.with_plain_error(reply) for reply in replies]
        self._sites = self._known_sites.identify((self._node(reply), site_of(reply)) for reply in plain)
        return sorted(plain, key=lambda reply: self._sites[self._node(reply)])

    def _name_of(self, reply: Message) -> str:
        return self._sites[self._node(reply)].name

    def _errors(self, replies: Iterable[Message], work: str) -> list[Rejection]:
        """Name the nodes whose reply is an error."""
        return [
            Rejection(self._name_of(reply), work, reply.error.reason or "") for reply in replies if reply.has_error()
        ]

    def _silent(self, replies: Iterable[Message]) -> list[Rejection]:
        """Name the nodes that were asked to train and have not replied."""
        answered = {self._node(reply) for reply in replies}
        reason = f"no answer within {self._guard.round_timeout:g} seconds"
        return [
            Rejection(self._known_sites.name(node), "train", reason)
            for node in self.round.asked_nodes
            if node not in answered
        ]

    def _node(self, reply: Message) -> int:
        grid = self._asked[2]
        return grid.node_of(reply) if isinstance(grid, SteadyGrid) else reply.metadata.src_node_id

    def _pseudonym(self, site: str) -> str:
        return self._known_sites.pseudonym(site)

    @property
    def _known_sites(self) -> Sites:
        grid = self._asked[2]
        return grid.sites if isinstance(grid, SteadyGrid) else Sites(None)

    def _check_finite(self, arrays: ArrayRecord) -> None:
        """End the run over a broken model, whatever a shortfall may do: the strategy's own state is broken with it."""
        model = self._asked[0]
        known = model if self._guard.foreign else {name: model[name] for name in self._arithmetic.buffers}
        if broken := foreign.unsound(arrays, known):
            raise RunFailedError(
                f"Round {self.round.number} failed: the strategy made NaN or infinite numbers of finite ones in"
                f" {broken[0]!r}. Lower the learning rates, or choose another fl_strategy."
            )

    def _let_go_of_the_old_model(self) -> None:
        if self._is_flowers_start:
            self._asked[0].clear()

    def _taken(self, replies: Iterable[Message]) -> list[Message]:
        taken = list(replies)
        if self._is_flowers_start and isinstance(replies, list):
            replies.clear()
        return taken

    def _made_up(self, replies: list[Message]) -> list[Message]:
        """Ask those once more whose replies were lost with the SuperLink: an undisturbed round would have them."""
        grid, attendance = self._asked[2], self._attendance
        if attendance is None or not isinstance(grid, SteadyGrid):
            return replies
        seen = attendance.outages
        while grid.outages > seen and (lost := self._lost(replies)):
            attendance.rejoin_under_way(self.round.number, grid)
            seen, asked = grid.outages, self.round.asked_nodes
            again = [message for message in self._ask(attempt=0) if message.metadata.dst_node_id in lost]
            self.round.asked_nodes = asked
            nodes = {message.metadata.dst_node_id for message in again}
            if not nodes:
                break
            names = {node: self._known_sites.name(node) for node in sorted(nodes)}
            logger.warning(
                "Round %d: the SuperLink was away, and replies were lost. Asked again: %s.",
                self.round.number,
                ", ".join(sorted(names.values())),
            )
            self.round.attempts += 1
            self.round.earlier += [Rejection(name, "train", lost[node]) for node, name in names.items()]
            kept = [reply for reply in replies if self._node(reply) not in nodes]
            replies = [*kept, *grid.send_more(again, timeout=self._guard.round_timeout)]
        return replies

    def _lost(self, replies: Iterable[Message]) -> dict[int, str]:
        """Return why there is no reply, by node, where its ClientApp has not failed."""
        found = {self._node(reply): guards.with_plain_error(reply) for reply in replies}
        return {
            node: (found[node].error.reason or "") if node in found else "no answer came"
            for node in self.round.asked_nodes
            if node not in found or _is_unavailable(found[node])
        }

    def _enough(self, replies: list[Message]) -> list[Message] | None:
        """Return enough replies, after repeating the round where that is wished; None says to skip it."""
        pauses = RETRY_PAUSES if self._guard.on_shortfall == "retry" else ()
        for attempt, pause in enumerate(pauses, start=1):
            if self.round.replies >= self._needed or (
                self._private and not self._private.may_ask_again(self.round.number)
            ):
                break
            logger.warning("%s. The round is repeated in %g seconds.", self._shortfall(replies), pause)
            time.sleep(pause)
            self.round.attempts += 1
            self.round.earlier += [*self.round.failed, *self.round.rejected]
            replies = self._counted(
                self._asked[2].send_and_receive(self._ask(attempt), timeout=self._guard.round_timeout)
            )
        if self.round.replies >= self._needed:
            return replies
        self._fall_short(self._shortfall(replies))
        return None

    @property
    def _needed(self) -> int:
        """How many replies the round needs: of a strategy that asks fewer nodes than it says, all of them."""
        minimum = self._guard.minimum_replies
        return min(minimum, self.round.asked) if self._guard.foreign else minimum

    def _tell_nothing_aggregated(self) -> None:
        if self._guard.foreign and not foreign.is_flowers_own(self.strategy, "aggregate_train"):
            logger.warning("Round %d: the strategy has made no model of the replies.", self.round.number)
            return  # which it may mean to do
        self._fall_short("The strategy aggregated nothing")

    def _check_trimming(self) -> None:
        """Tell when missing replies, and nothing that was known before the round, leave all outliers in the mean."""
        beta = self._guard.trim_beta
        if trimmed(self.round.asked, beta) and not trimmed(self.round.replies, beta):
            logger.warning(
                "Round %d: of %d replies FedTrimmedAvg trims none, so that a single bad one counts in full."
                " It needs %d (fl_trim_beta is %g).",
                self.round.number,
                self.round.replies,
                least_replies_trimmed(beta),
                beta,
            )

    def _tell_claims(self, replies: list[Message]) -> None:
        """Tell whom to ask what its number of examples is about: it decides how much a site counts."""
        for remark in self._claims.remarkable(self._claimed(replies)):
            logger.warning("Round %d: %s.", self.round.number, remark)

    def _tell_evaluation_claims(self, replies: list[Message]) -> None:
        """Tell the same of what decides which model is the best."""
        for remark in self._evaluated.remarkable(self._claimed(replies), known=self._claims.largest):
            logger.warning("Round %d: evaluating, %s.", self.round.number, remark)

    def _claimed(self, replies: Iterable[Message]) -> dict[str, float]:
        return {self._name_of(reply): _claim(reply) for reply in replies if not reply.has_error()}

    def _of_finite(self, made: Aggregated, replies: list[Message]) -> MetricRecord | None:
        """Leave a site out of the mean of a metric that it has reported as NaN or infinite: it is nobody's then."""
        records = {
            self._name_of(reply): next(iter(reply.content.metric_records.values()), MetricRecord())
            for reply in (replies if made.kept is None else made.kept)
            if not reply.has_error()
        }
        wrong = {site: names for site, record in records.items() if (names := not_finite(record))}
        for site, names in wrong.items():
            listed = ", ".join(plain(repr(name)) for name in names[:MOST_TOLD])
            logger.warning("Round %d: what %s reports as %s is no finite number.", self.round.number, site, listed)
        is_mean = foreign.means(self.strategy, of_all=made.kept is None)
        if not wrong or not is_mean or not isinstance(made.metrics, MetricRecord):
            return made.metrics
        weight = foreign.weight_of(self.strategy)
        means = {name: mean_of_finite(name, weight, records.values()) for names in wrong.values() for name in names}
        known = {name: mean for name, mean in means.items() if mean is not None and name in made.metrics}
        return MetricRecord({**made.metrics, **known})

    def _tell_kept(self, made: Aggregated) -> None:
        if made.kept is not None:
            names = ", ".join(sorted(self._name_of(reply) for reply in made.kept))
            logger.info("Round %d: %s chose %s", self.round.number, type(self.strategy).__name__, names)

    def _shortfall(self, replies: list[Message]) -> str:
        reasons = sorted({self._said(reply) for reply in replies if reply.has_error()})
        reasons.extend(str(rejection) for rejection in self.round.rejected)
        if silent := self.round.asked - len(replies) - len(self.round.rejected):
            reasons.append(f"{silent} did not answer within {self._guard.round_timeout:g} seconds")
        if (more := len(reasons) - _REASONS) > 0:
            reasons[_REASONS:] = [f"and {more} more"]
        return f"{self.round.replies} valid replies, {self._needed} needed, {self.round.failures} failed" + (
            f" ({'; '.join(reasons)})" if reasons else ""
        )

    def _said(self, reply: Message) -> str:
        """Return the reason of an error, with whose it is: a site says what it likes, also another's name."""
        name, reason = self._name_of(reply), reply.error.reason or ""
        if reply.metadata.src_node_id == SUPERLINK_NODE_ID or reason.startswith(f"{name}: "):
            return reason
        return f"{name}: {reason}"

    def _fall_short(self, what: str) -> None:
        if self._guard.on_shortfall == "skip":
            logger.warning("Round %d is skipped: %s.", self.round.number, what)
            return
        text = f"Round {self.round.number} failed: {what}."
        if self.round.unavailable and self.round.unavailable == self.round.failures:
            raise NodesUnavailableError(text)
        raise RunFailedError(text)


@contextmanager
def _seeded(seed: str) -> Iterator[None]:
    """Sampling takes a global generator, Flower's that of ``random``: seed them for a moment, then put them back."""
    before, arrays_before = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(random.getrandbits(32))
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(arrays_before)


def _is_unavailable(reply: Message) -> bool:
    """Tell whether a node, or what was sent to it, is just not there: Flower says so in the node's place."""
    return reply.has_error() and reply.error.code in (
        ErrorCode.MESSAGE_UNAVAILABLE,
        ErrorCode.REPLY_MESSAGE_UNAVAILABLE,
        ErrorCode.NODE_UNAVAILABLE,
    )


def _claim(reply: Message) -> float:
    if reply.has_error():
        return 0
    metrics = next(iter(reply.content.metric_records.values()), None)
    claim = metrics.get("num-examples") if metrics else None
    # Of a foreign app it may be anything: what is averaged by another metric, or not at all, is not held against it.
    return float(claim) if is_number(claim) and 0 < claim <= MOST_EXAMPLES else 0
