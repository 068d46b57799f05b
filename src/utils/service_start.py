"""Starting the local services side by side, and taking it back."""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import AccessRefusedError, RecArenaError, first_line
from core.settings import Settings
from utils.interrupts import Check
from utils.local_postgres import LocalPostgres
from utils.service_plans import TITLES, Plan, plans, services, shown
from utils.service_process import Daemon
from utils.service_record import last_line

ANSWER_SECONDS = 5.0  # for one question
START_SECONDS = 120.0  # MLflow takes 10 s on an idle machine
PROOF_SECONDS = 15.0  # for one that ran already; then it is started again


@dataclass
class Start:
    """One attempt to have all services running; knows what it has started itself."""

    settings: Settings
    folder: Path
    check: Check
    report: Callable[[str], None]
    started: list[Daemon] = field(default_factory=list)

    def all(self) -> None:
        """Return when all services answer. Raises RecArenaError naming the one that does not."""
        todo = plans(self.settings, self.folder)
        for plan in todo:  # these take longest, so they start beside PostgreSQL
            if not plan.runs():
                self._launch(plan)
        self._postgres()
        for plan in todo:
            self._settle(plan)

    def undo(self) -> None:
        """End what this attempt has started."""
        for daemon in reversed(self.started):
            daemon.stop()

    def _launch(self, plan: Plan) -> None:
        self.check()
        self._begin(plan.daemon)
        plan.start()

    def _begin(self, daemon: Daemon) -> None:
        self.report(f"starting {TITLES[daemon.name]}")
        self.started.append(daemon)

    def _postgres(self) -> None:
        """Start PostgreSQL, or make sure that it answers."""
        daemon, given = services(self.folder)["postgres"], self.settings
        server = LocalPostgres(
            daemon.home,
            host=given.bind_host,
            port=given.db_port,
            user=given.postgres_user,
            password=given.postgres_password,
            database=given.postgres_db,
            log=daemon.log,
        )
        if server.address != (given.bind_host, given.db_port):
            self._begin(daemon)
        server.start()
        if server.pid is None:
            raise RecArenaError(f"PostgreSQL ended again: {last_line(server.log)} ({server.log})")
        daemon.write_record(server.pid, given.bind_host, given.db_port)
        self._tell(daemon)

    def _settle(self, plan: Plan) -> None:
        """Wait for a service's answer; one that ran before and does not answer is restarted."""
        if plan.daemon not in self.started:
            with suppress(RecArenaError):
                self._await(plan, PROOF_SECONDS)
                return
            self._launch(plan)
        self._await(plan, START_SECONDS)

    def _await(self, plan: Plan, seconds: float) -> None:
        title, log = TITLES[plan.daemon.name], plan.daemon.log
        end, problem = time.monotonic() + seconds, "no answer"
        while time.monotonic() < end:
            self.check()
            if plan.daemon.pid is None:
                raise RecArenaError(f"{title} ended while starting: {last_line(log)} (see {log})")
            try:
                plan.ask(self.settings, ANSWER_SECONDS)
                return self._tell(plan.daemon)
            except AccessRefusedError:
                raise
            except RecArenaError as error:
                problem = first_line(error)
            time.sleep(0.1)
        raise RecArenaError(f"{title} does not answer: {problem} (see {log})")

    def _tell(self, daemon: Daemon) -> None:
        if daemon.address:
            where = shown(daemon.name, daemon.address)
            self.report(f"{TITLES[daemon.name]} answers at {where}")
