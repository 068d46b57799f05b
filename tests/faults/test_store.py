"""The FTP server goes away, is slow, full, or lets nobody in."""

import ftplib
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from faults.conftest import Fault
from faults.disk import small_disk
from faults.stand import Stand
from faults.test_tracker import delivered, uploading
from utils.service_answers import ask_ftp

pytestmark = pytest.mark.faults


def test_down_before(fault: Fault, stand: Stand) -> None:
    """The FTP server is down before a run"""
    stand.kill("ftp")
    process = stand.run()
    assert fault.saw(process) == 1
    assert "FTP" in process.last or "artifact" in process.last
    stand.start("ftp")
    fault.over()
    assert stand.run().end() == 0
    fault.well()


def test_down_while_fitting(fault: Fault, stand: Stand) -> None:
    """The FTP server is killed while a run is fitting, and stays away"""
    process = stand.run(stops=["fitting"])
    process.at("fitting")
    stand.kill("ftp")
    process.go("fitting")
    delivered(fault, process)


def test_back_while_fitting(fault: Fault, stand: Stand) -> None:
    """The FTP server is killed while a run is fitting, and comes back"""
    process = stand.run(stops=["fitting"])
    process.at("fitting")
    stand.kill("ftp")
    stand.start("ftp")
    fault.over()
    process.go("fitting")
    delivered(fault, process)


def test_killed_in_upload(fault: Fault, stand: Stand) -> None:
    """The FTP server is killed in the middle of an upload, and stays away"""
    process = uploading(stand, "ftp")
    stand.kill("ftp")
    stand.links["ftp"].mend()
    delivered(fault, process)


def test_restarted_in_upload(fault: Fault, stand: Stand) -> None:
    """The FTP server is killed in the middle of an upload, and comes back"""
    process = uploading(stand, "ftp")
    stand.kill("ftp")
    stand.links["ftp"].mend()
    stand.start("ftp")
    fault.over()
    delivered(fault, process)


def test_frozen_for_a_while(fault: Fault, stand: Stand) -> None:
    """The FTP server is frozen (SIGSTOP) in the middle of an upload, for 10 s"""
    process = uploading(stand, "ftp")
    stand.signal("ftp", signal.SIGSTOP)
    stand.links["ftp"].mend()
    time.sleep(10)
    stand.signal("ftp", signal.SIGCONT)
    fault.over()
    delivered(fault, process)


def test_frozen(fault: Fault, stand: Stand) -> None:
    """The FTP server is frozen (SIGSTOP) in the middle of an upload, for good"""
    process = uploading(stand, "ftp")
    stand.signal("ftp", signal.SIGSTOP)
    stand.links["ftp"].mend()
    delivered(fault, process)


def test_slow(fault: Fault, stand: Stand) -> None:
    """The FTP server is slow: 2 MB/s"""
    stand.links["ftp"].slow(2e6)
    delivered(fault, stand.run(megabytes=10))


def test_refused(fault: Fault, stand: Stand) -> None:
    """The FTP server refuses the login: its password was changed"""
    process = stand.run(stops=["fitting"])
    process.at("fitting")
    stand.kill("ftp")
    stand.start("ftp", ftp_user_pass=SecretStr("another-password"))
    process.go("fitting")
    assert process.end() != 0
    stand.kill("ftp")
    stand.start("ftp")
    delivered(fault, process)


def test_cut(fault: Fault, stand: Stand) -> None:
    """The network between MLflow and the FTP server is cut in the middle of an upload"""
    process = uploading(stand, "ftp")
    stand.links["ftp"].cut()
    delivered(fault, process)


def test_reset(fault: Fault, stand: Stand) -> None:
    """The connections between MLflow and the FTP server are reset in the middle of an upload"""
    process = uploading(stand, "ftp")
    stand.links["ftp"].mend()
    stand.links["ftp"].reset()
    fault.over()
    delivered(fault, process)


def guess(stand: Stand, n: int) -> str:
    """What the FTP server answers to a wrong password."""
    try:
        with ftplib.FTP(timeout=60) as client:
            client.connect("127.0.0.1", stand.real.ftp_port)
            client.login("recarena", f"guess {n}")
        return "let in"
    except (ftplib.error_perm, ftplib.error_temp) as error:
        return str(error)[:3]
    except (OSError, EOFError):
        return "closed"


def test_failed_logins(fault: Fault, stand: Stand) -> None:
    """500 failed logins at the FTP server"""
    with ThreadPoolExecutor(20) as guessers:
        answers = Counter(guessers.map(lambda n: guess(stand, n), range(500)))
    assert "let in" not in answers
    fault.seen.append("answers: " + ", ".join(f"{n} x {key}" for key, n in answers.items()))
    fault.over()
    ask_ftp(stand.real, 10)
    delivered(fault, stand.run())


def upload(stand: Stand, n: int, size: int) -> str:
    """A program's end: a run with n artifacts of `size` bytes, read back and compared."""
    code = f"""
import hashlib, os, sys, tempfile
from pathlib import Path
import mlflow
mlflow.set_tracking_uri({stand.settings.tracking_uri!r})
mlflow.set_experiment("faults: artifacts")
with tempfile.TemporaryDirectory() as folder, mlflow.start_run() as run:
    block = os.urandom(1 << 20)
    for i in range({n}):
        with open(Path(folder) / f"{{i:04}} part.bin", "wb") as out:
            for start in range(0, {size}, 1 << 20):
                out.write(block[: min(1 << 20, {size} - start)])
    sums = lambda d: {{f.name: hashlib.file_digest(open(f, "rb"), "sha256").hexdigest()
                      for f in sorted(Path(d).rglob("*.bin"))}}
    mlflow.log_artifacts(folder, "many")
    sent = sums(folder)
with tempfile.TemporaryDirectory() as back:
    mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="many", dst_path=back)
    came = sums(back)
assert len(sent) == {n} and came == sent, (list(sent)[:3], list(came)[:3])
print("all", len(came), "came back the same")
"""
    process = stand.python("-c", code)
    assert process.end(900) == 0, process.said
    return process.last


def test_thousand_small(fault: Fault, stand: Stand) -> None:
    """1,000 small artifacts in one run"""
    fault.seen.append(upload(stand, 1000, 2000))


def test_one_big(fault: Fault, stand: Stand) -> None:
    """One artifact of 2 GB"""
    before = resident(stand)
    fault.seen.append(upload(stand, 1, 2_000_000_000))
    assert resident(stand) - before < 200e6


def resident(stand: Stand) -> int:
    """Bytes that the FTP server and MLflow have in memory."""
    return sum(p.memory_info().rss for name in ("ftp", "mlflow") for p in stand.processes(name))


def test_disk_full(fault: Fault, stand: Stand) -> None:
    """The FTP server's disk is full in the middle of an upload"""
    process = stand.run(stops=["delivering"], megabytes=40)
    process.at("delivering")
    with small_disk(stand.artifacts, 130):
        process.go("delivering")
        status = process.end()
        assert status != 0
        parts = [file for file in stand.artifacts.rglob("*.pkl") if file.stat().st_size]
        assert not parts
        stand.kill("ftp")
    stand.start("ftp")
    delivered(fault, process)
