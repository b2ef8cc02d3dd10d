"""Settings: where they come from, and what each bad one is told."""

import pytest

from kvraft.config import ConfigError, load

PEERS = "n1=127.0.0.1:4380,n2=127.0.0.1:4390,n3=127.0.0.1:4400"
GOOD = ["--name", "n1", "--data-dir", "d", "--peers", PEERS]


def test_defaults():
    config = load(GOOD, {})

    assert str(config.listen) == "127.0.0.1:4379"
    assert config.peer_listen == config.peers["n1"]
    assert config.advertise == "127.0.0.1:4379"
    assert (config.rejoin, config.restore, config.client_tls) == (False, None, None)


def test_flags_over_environment_over_file(tmp_path):
    file = tmp_path / "kvraft.toml"
    file.write_text(
        'name = "n3"\ndata_dir = "from-file"\nlisten = "127.0.0.1:1"\nrejoin = true\n'
        '[peers]\nn1 = "a:1"\nn2 = "b:2"\nn3 = "c:3"\n'
    )
    environment = {"KVRAFT_NAME": "n2", "KVRAFT_LISTEN": "127.0.0.1:2"}
    config = load(["--config", str(file), "--name", "n1"], environment)

    assert config.name == "n1"
    assert config.listen.port == 2
    assert str(config.data_dir) == "from-file"
    assert config.rejoin
    assert config.peers["n3"] == ("c", 3)


def test_a_proxy_gets_in_between():
    config = load([*GOOD, "--dial", "n2=127.0.0.1:9", "--dial", "n3=[::1]:10"], {})

    assert config.dial == {"n2": ("127.0.0.1", 9), "n3": ("::1", 10)}


BAD = [
    (["--name", "n9"], "--name: 'n9' is not among --peers"),
    (["--name", "ñ"], "printable ASCII"),
    (["--peers", "n1=127.0.0.1:1,n2=127.0.0.1:2"], "3 or 5 members, got 2"),
    (["--peers", "n1"], "--peers: expected NAME=HOST:PORT, got 'n1'"),
    (["--peers", "n1=127.0.0.1"], "--peers n1: expected HOST:PORT, got '127.0.0.1'"),
    (["--peers", "n1=127.0.0.1:99999"], "a port is 1 to 65535, got 99999"),
    (["--peers", "n1=h:1,n1=h:2,n3=h:3"], "'n1' is given twice"),
    (["--peers", "n1=h:1,n2=h:1,n3=h:3"], "h:1 is given twice"),
    (["--peers", ""], "--peers is missing"),
    (["--data-dir", ""], "--data-dir is missing"),
    (["--listen", "nowhere"], "--listen: expected HOST:PORT, got 'nowhere'"),
    (["--dial", "n1=h:1"], "--dial: 'n1' is not another member"),
    (["--rejoin", "--restore", "f"], "--rejoin and --restore"),
    (["--client-tls-ca", "f"], "--client-tls-ca: there is no file f|--client-tls-cert is missing"),
    (["--state-mib", "0"], "--state-mib: 1 to"),
    (["--state-mib", "x"], "--state-mib: 1 to .* got 'x'"),
    (["--config", "nowhere.toml"], "--config: cannot read nowhere.toml"),
]


@pytest.mark.parametrize(("extra", "message"), BAD, ids=[" ".join(extra) for extra, _ in BAD])
def test_a_bad_setting_is_named(extra, message):
    with pytest.raises(ConfigError, match=message):
        load([*GOOD, *extra], {})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("colour = 1", "unknown option 'colour'"),
        ("name = ", "is no TOML"),
        ("rejoin = 7", "--rejoin: expected true or false, got 7"),
    ],
)
def test_a_bad_file_is_named(tmp_path, content, message):
    file = tmp_path / "kvraft.toml"
    file.write_text(content)
    with pytest.raises(ConfigError, match=message):
        load([*GOOD, "--config", str(file)], {})


def test_tls_needs_files_that_exist(tmp_path):
    files = {part: tmp_path / part for part in ("ca", "cert", "key")}
    flags = [*GOOD]
    for part, path in files.items():
        path.write_text("pem")
        flags += [f"--peer-tls-{part}", str(path)]

    assert load(flags, {}).peer_tls.cert == str(files["cert"])

    files["key"].unlink()
    with pytest.raises(ConfigError, match="--peer-tls-key: there is no file"):
        load(flags, {})
