from pathlib import Path

import pytest

from core import settings as module
from core.errors import RecArenaError
from core.settings import Settings, is_loopback


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root of the test's own, and no setting in the environment."""
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "LOCAL_SETTINGS", tmp_path / "services.json")
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
    return tmp_path


def test_the_strongest_source_wins(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / ".env").write_text("DB_PORT=1001\nFTP_PORT=1001\nTOP_K=7\nN_TEST=\n")
    (root / "services.json").write_text('{"settings": {"db_port": 1002, "ftp_port": 1002}}')
    monkeypatch.setenv("DB_PORT", "1003")
    settings = Settings.load(user_num=5)
    found = (settings.db_port, settings.ftp_port, settings.top_k, settings.n_test)
    assert (*found, settings.user_num) == (1003, 1002, 7, 5, 5)


def test_default_passwords_are_refused_beyond_loopback(root: Path) -> None:
    for host in ("0.0.0.0", "192.168.1.4", "::", "example.org"):
        with pytest.raises(RecArenaError, match="POSTGRES_PASSWORD is still the default"):
            Settings.load(bind_host=host)
    with pytest.raises(RecArenaError, match="FTP_USER_PASS is still the default"):
        Settings.load(bind_host="0.0.0.0", postgres_password="of my own")
    Settings.load(bind_host="0.0.0.0", postgres_password="of my own", ftp_user_pass="mine")


def test_a_container_is_as_open_as_its_published_ports(root: Path) -> None:
    Settings.load(bind_host="0.0.0.0", published_host="127.0.0.1")
    with pytest.raises(RecArenaError, match=r"PUBLISHED_HOST=0\.0\.0\.0 lets other machines in"):
        Settings.load(bind_host="0.0.0.0", published_host="0.0.0.0")
    with pytest.raises(RecArenaError, match="PUBLISHED_HOST"):
        Settings.load(published_host="192.168.1.4")


def test_a_secret_may_be_in_a_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "secret").write_text(" a secret \r\n")
    (root / ".env").write_text("POSTGRES_PASSWORD=weaker\nFTP_USER_PASS=plain\n")
    monkeypatch.setenv("POSTGRES_PASSWORD_FILE", str(root / "secret"))
    settings = Settings.load()
    assert settings.postgres_password.get_secret_value() == " a secret "
    assert settings.ftp_user_pass.get_secret_value() == "plain"


def test_the_env_file_may_name_a_file_too(root: Path) -> None:
    (root / "secret").write_text("s3cret")
    (root / ".env").write_text(f"FTP_USER_PASS_FILE={root / 'secret'}\n")
    assert Settings.load().ftp_user_pass.get_secret_value() == "s3cret"


@pytest.mark.parametrize(
    ("content", "more", "message"),
    [
        (None, {}, "POSTGRES_PASSWORD_FILE=.*No such file"),
        ("\n", {}, "POSTGRES_PASSWORD_FILE=.*is empty"),
        ("file-secret", {"POSTGRES_PASSWORD": "s3cret"}, "are both set; remove one of them"),
    ],
)
def test_a_secret_that_cannot_be_read_is_named(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    content: str | None,
    more: dict[str, str],
    message: str,
) -> None:
    if content is not None:
        (root / "secret").write_text(content)
    monkeypatch.setenv("POSTGRES_PASSWORD_FILE", str(root / "secret"))
    for name, value in more.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(RecArenaError, match=message) as refused:
        Settings.load()
    assert "s3cret" not in str(refused.value)
    assert "file-secret" not in str(refused.value)


def test_secrets_never_show(root: Path) -> None:
    secret = "s3cret-w0rd"
    settings = Settings.load(
        postgres_password=secret,
        ftp_user_pass=secret,
        backend_store_uri=f"postgresql://a:{secret}@h/d",
    )
    assert secret not in repr(settings) + str(settings) + settings.model_dump_json()
    with pytest.raises(RecArenaError) as refused:
        Settings.load(postgres_password=secret, db_port=f"{secret}")
    assert secret not in str(refused.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("DB_PORT=many", "DB_PORT: "),
        ("TOP_K=0", "TOP_K: "),
        ("POSTGRES_PASWORD=x", "did you mean POSTGRES_PASSWORD"),
    ],
)
def test_a_wrong_setting_is_named(root: Path, line: str, message: str) -> None:
    (root / ".env").write_text(line + "\n")
    with pytest.raises(RecArenaError, match=message) as refused:
        Settings.load()
    assert "\n" not in str(refused.value)


def test_settings_of_other_programs_are_left_alone(root: Path) -> None:
    (root / ".env").write_text("COMPOSE_PROJECT_NAME=arena\n")
    Settings.load()


def test_an_ipv6_address_has_brackets_in_the_address() -> None:
    uri = Settings.load(mlflow_tracking_host="::1", mlflow_tracking_port=80).tracking_uri
    assert uri == "http://[::1]:80"


def test_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.8.8.8", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "10.0.0.1", "db", "")))


def test_the_committed_env_file_names_every_setting_and_only_those() -> None:
    text = (Path(__file__).parents[2] / ".env").read_text()
    named = {
        line.lstrip("# ").partition("=")[0].lower()
        for line in text.splitlines()
        if "=" in line and line.lstrip("# ").partition("=")[0].isupper()
    }
    assert named == set(Settings.model_fields)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mlflow_admin_user": "boss"}, "MLFLOW_ADMIN_USER and MLFLOW_ADMIN_PASS need each other"),
        ({"mlflow_tracking_password": "s3cret"}, "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACK"),
        ({"mlflow_admin_user": "boss", "mlflow_admin_pass": "s3cret"}, "MLFLOW_ADMIN_PASS: .*12"),
        ({"mlflow_admin_user": "a:b", "mlflow_admin_pass": "s3cret" * 2}, "MLFLOW_ADMIN_USER"),
    ],
)
def test_half_an_account_or_a_weak_one_is_refused(
    root: Path, given: dict[str, str], said: str
) -> None:
    with pytest.raises(RecArenaError, match=said) as refused:
        Settings.load(**given)
    assert "s3cret" not in str(refused.value)


def test_the_administrator_is_our_account_unless_another_is_given(root: Path) -> None:
    assert Settings.load().mlflow_account is None
    admin = {"mlflow_admin_user": "boss", "mlflow_admin_pass": "s3cret" * 2}
    assert Settings.load(**admin).mlflow_account == ("boss", "s3cret" * 2)
    other = {"mlflow_tracking_username": "runner", "mlflow_tracking_password": "mine"}
    assert Settings.load(**admin, **other).mlflow_account == ("runner", "mine")


def test_the_empty_file_of_a_password_that_need_not_be_is_none(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "secret").write_text("\n")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD_FILE", str(root / "secret"))
    assert Settings.load().mlflow_account is None
    (root / "secret").write_text("mine\n")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "runner")
    assert Settings.load().mlflow_account == ("runner", "mine")
