"""Options after ``--``: what is misspelt is refused, what is left out is filled in."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from aurora_prep.pipelines.engines import places
from aurora_prep.pipelines.engines.choice import is_in_process, options_of
from aurora_prep.sources.spec import EngineError


def refusal(*words: str) -> EngineError:
    with pytest.raises(EngineError) as raised:
        options_of(words)
    return raised.value


def all_of(*words: str) -> dict[str, object]:
    options: dict[str, object] = options_of(words).get_all_options(retain_unknown_options=True)
    return options


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where Prism and Flink seem to be installed."""
    monkeypatch.setenv("AURORA_PREP_ENGINES", str(tmp_path))
    monkeypatch.setenv("PATH", "/nonexistent")
    for name in ("bin/prism", "flink/job-server.jar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.fixture
def cluster() -> Iterator[str]:
    """The REST interface of a cluster with six task slots."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"slots-total": 6, "taskmanagers": 3}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("localhost", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"localhost:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("word", "nearest"),
    [
        ("--runer=FlinkRunner", "--runner"),
        ("--direct_num_worker=2", "--direct_num_workers"),
        ("--direct-num-workers=2", "--direct_num_workers"),
        ("--max_num_worker=4", "--max_num_workers"),
        ("--max_paralelism=4", "--max_parallelism? (of FlinkRunner only)"),
    ],
)
def test_a_misspelt_option_is_refused_with_the_nearest(word: str, nearest: str) -> None:
    error = refusal(word)
    assert error.args[2] == word.partition("=")[0]
    assert f"do you mean {nearest}" in error.args[3]


@pytest.mark.parametrize("word", ["runner=FlinkRunner", "-runner=FlinkRunner", "2"])
def test_a_word_that_is_no_option_is_refused(word: str) -> None:
    assert repr(word) in refusal(word).args[2]


def test_an_option_that_nobody_knows() -> None:
    assert refusal("--qqqqqqqq").args[2] == "--qqqqqqqq"


def test_a_value_that_beam_refuses() -> None:
    assert "direct_num_workers" in refusal("--direct_num_workers=two").args[2]
    assert "direct_running_mode" in refusal("--direct_running_mode=threads").args[2]


def test_an_unknown_runner_is_refused_with_the_list() -> None:
    for name in ("Flnk", "apache_beam.nowhere.NoRunner", "json.NoRunner"):
        error = refusal(f"--runner={name}")
        assert error.args[1] == f"--runner={name}"
        assert "PrismRunner, FlinkRunner" in error.args[2]


def test_another_job_servers_own_options_are_passed_on(engines: Path) -> None:
    del engines
    words = ("--runner=portable", "--job_endpoint=localhost:1", "--bizarre=3")
    assert all_of(*words)["bizarre"] == "3"
    assert "--parallelism" in refusal(*words, "--paralelism=3").args[3]


def test_several_local_workers_are_processes() -> None:
    assert all_of("--direct_num_workers=2")["direct_running_mode"] == "multi_processing"
    assert not is_in_process(options_of(["--direct_num_workers=2"]))
    assert is_in_process(options_of(["--direct_num_workers=1"]))
    assert is_in_process(options_of([]))
    chosen = all_of("--direct_num_workers=2", "--direct_running_mode=multi_threading")
    assert chosen["direct_running_mode"] == "multi_threading"


def test_prism_is_found_where_it_is_installed(engines: Path) -> None:
    assert all_of("--runner=prism")["prism_location"] == str(engines / "bin/prism")
    assert all_of("--runner=prism", "--prism_location=/p")["prism_location"] == "/p"


@pytest.mark.parametrize("name", ["PrismRunner", "FlinkRunner"])
def test_an_engine_that_is_not_installed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURORA_PREP_ENGINES", str(tmp_path))
    monkeypatch.setenv("PATH", "/nonexistent")
    error = refusal(f"--runner={name}")
    assert "not installed" in error.args[0]
    assert "make engines" in error.args[3]


def test_flink_takes_what_the_cluster_has(engines: Path, cluster: str) -> None:
    options = all_of("--runner=FlinkRunner", f"--flink_master={cluster}")
    assert options["parallelism"] == 6
    assert options["environment_cache_millis"] == "60000"
    assert options["flink_job_server_jar"] == str(engines / "flink/job-server.jar")
    assert options["environment_type"] == "PROCESS"
    config = options["environment_config"]
    assert isinstance(config, str)
    worker = Path(json.loads(config)["command"])
    assert worker.parent == engines / "bin"
    assert worker.stat().st_mode & 0o111
    assert worker == places.worker_command()


def test_the_users_own_words_win(engines: Path, cluster: str) -> None:
    del engines
    words = ("--parallelism=2", "--environment_type=EXTERNAL", "--environment_config=h:1")
    options = all_of("--runner=FlinkRunner", f"--flink_master=http://{cluster}", *words)
    assert options["parallelism"] == 2
    assert (options["environment_type"], options["environment_config"]) == ("EXTERNAL", "h:1")


def test_flink_inside_the_launcher_is_asked_nothing(engines: Path) -> None:
    del engines
    options = all_of("--runner=FlinkRunner")
    assert options["parallelism"] == -1  # what Flink itself chooses
    assert options["environment_type"] is None


def test_a_cluster_that_does_not_answer(engines: Path) -> None:
    del engines
    error = refusal("--runner=FlinkRunner", "--flink_master=localhost:1")
    assert "no Flink cluster answers" in error.args[0]
    assert "localhost:1" in error.args[1]
