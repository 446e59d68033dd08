"""The command line for another machine, and the bundles of the files that it names."""

from __future__ import annotations

import json
import shlex
import subprocess
from datetime import datetime
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from search.planning.arguments import Arguments
from search.planning.plan import make_plan
from search.run import run
from search.submit import inputs as submit_inputs
from search.submit.inputs import Inputs, command_line, given_options, inputs_of, project_bundle
from search.submit.upload import make_bundle, safe_name, visible_files
from spaces.errors import InputError
from spaces.space import FOLDER, load_space
from tests.support.paths import ROOT
from tests.support.toy_family import make_toy_model
from tests.support.voices import make_voice
from trainable.dataset.loading.load import load_dataset, open_dataset
from trainable.dataset.source import Source

NOW = datetime(2026, 1, 2, 3, 4, 5)
THERE = "/shared/inputs"
words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(values=st.lists(words, min_size=1, max_size=4), given_twice=words)
def test_any_value_arrives_as_it_was_given(values: list[str], given_twice: str) -> None:
    options = [("data", "--data", tuple(values)), ("model", "--model", (given_twice,)), ("isolate", "--isolate", ())]
    line = shlex.join(command_line(options, {}, "/run"))
    printed = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True).stdout
    expected = ["python", "search/run.py", "--address", "auto", "--out", "/run"]
    expected += [*(f"--data={value}" for value in values), f"--model={given_twice}", "--isolate"]
    assert printed.decode().split("\0")[:-1] == expected


def test_paths_are_replaced_and_options_about_this_machine_are_left_out() -> None:
    options = [
        ("data", "--data", ("a", "b")),
        ("trials", "--trials", ("3",)),
        ("cluster", "--cluster", ("c.yaml",)),
        ("out", "--out", ("runs/x",)),
        ("resume", "--resume", ()),
    ]
    line = command_line(options, {"data": ("/there/a", "hf:b")}, "/run", resume=True)
    assert line[2:] == [
        "--address",
        "auto",
        "--out",
        "/run",
        "--resume",
        "--data=/there/a",
        "--data=hf:b",
        "--trials=3",
    ]


def test_every_given_option_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options are read from the command itself, so that new ones are included."""
    seen = []
    monkeypatch.setattr(
        "search.submit.submit.submit_search", lambda head, request, console: seen.append(request.options) or 0
    )
    monkeypatch.setattr("search.submit.ray_up.RayUpHead", lambda cluster: None)
    app = typer.Typer()
    app.command()(run)
    typed = ["--cluster", "c.yaml", "--data", "x,weight=2", "--data=-y", "--isolate", "--hours", "1.5", "--wait", "3"]
    done = CliRunner().invoke(app, typed)
    assert done.exit_code == 0, done.output
    assert seen == [
        (
            ("data", "--data", ("x,weight=2", "-y")),
            ("hours", "--hours", ("1.5",)),
            ("isolate", "--isolate", ()),
            ("wait", "--wait", ("3.0",)),
            ("cluster", "--cluster", ("c.yaml",)),
        )
    ]


@pytest.mark.parametrize("option", [["--dry-run"], ["--address", "auto"]])
def test_options_about_this_machine_cannot_be_combined_with_a_cluster(option: list[str]) -> None:
    app = typer.Typer()
    app.command()(run)
    done = CliRunner().invoke(app, ["--cluster", "cluster.yaml", *option])
    assert done.exit_code == 2 and f"{option[0]} is about this machine: leave one out" in done.output


def packed(*data: str, **typed: object) -> Inputs:
    plan = make_plan(Arguments(data=data, **typed), NOW, {})
    dataset, _ = open_dataset(plan.sources, True, plan.cache)
    options = [("data", "--data", data), *((name, f"--{name}", (str(value),)) for name, value in typed.items())]
    return inputs_of(plan, dataset, options, THERE)


def arrived(inputs: Inputs, folder: Path) -> Path:
    """The bundles as folders on the head."""
    for bundle in inputs.bundles:
        bundle.stage(folder / bundle.name)
    return folder


def test_a_folder_is_sent_without_hidden_files_and_links_arrive_as_files(tmp_path: Path) -> None:
    voice = make_voice(tmp_path / "voice")
    (voice / ".git").mkdir()
    (voice / ".git" / "config").touch()
    (voice / ".env").touch()
    elsewhere = tmp_path / "elsewhere.wav"
    (voice / "clip_00.wav").rename(elsewhere)
    (voice / "clip_00.wav").symlink_to(elsewhere)
    (voice / "loop").symlink_to(voice)
    inputs = packed(f"{voice},weight=2")
    (there,) = arrived(inputs, tmp_path / "there").iterdir()
    assert inputs.replacements == {"data": (f"{THERE}/{there.name},weight=2.0",)}
    names = {path.name for path in voice.iterdir()} - {".git", ".env", "loop"}
    assert {path.name: path.read_bytes() for path in there.iterdir()} == {n: (voice / n).read_bytes() for n in names}
    assert not any(path.is_symlink() for path in there.iterdir())


def test_of_a_list_only_the_files_it_names_are_sent_and_absolute_paths_become_relative(tmp_path: Path) -> None:
    """Its folder may be a home folder."""
    home = make_voice(tmp_path / "home")
    (home / "private.txt").touch()
    lines = [json.loads(line) for line in (home / "metadata.jsonl").read_text().splitlines()]
    (home / "metadata.jsonl").unlink()
    rows = [
        {"audio": str(home / line["audio_filepath"]), "text": line["text"], "ref_audio": "ref.wav"} for line in lines
    ]
    (home / "my list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + "not JSON\n\n")
    inputs = packed(str(home / "my list.jsonl"))
    (there,) = arrived(inputs, tmp_path / "there").iterdir()
    assert inputs.replacements == {"data": (f"{THERE}/{there.name}/my list.jsonl",)}
    assert "private.txt" not in {path.name for path in there.iterdir()}
    (there / "my list.jsonl").write_text((there / "my list.jsonl").read_text().replace("not JSON", ""))
    (home / "my list.jsonl").write_text((home / "my list.jsonl").read_text().replace("not JSON", ""))
    here, gone = (
        load_dataset([Source.parse(str(folder / "my list.jsonl"))], True, tmp_path / "cache")
        for folder in (home, there)
    )
    assert gone.fingerprint() == here.fingerprint()


def test_data_and_models_of_the_hub_are_not_sent(tmp_path: Path) -> None:
    voice = make_voice(tmp_path / "voice")
    inputs = packed(str(voice), model="somebody/model", space="alexandria")
    assert len(inputs.bundles) == 1 and inputs.replacements.keys() == {"data"}
    assert submit_inputs._bundle_source(Source.parse("hf:somebody/voices:nb"), None, THERE) == (
        None,
        "hf:somebody/voices:nb:",
    )


def test_a_recogniser_in_a_folder_is_sent_instead_of_the_one_of_the_space(tmp_path: Path) -> None:
    voice, ears = make_voice(tmp_path / "voice"), tmp_path / "ears"
    ears.mkdir()
    (ears / "config.json").write_text("{}")
    (tmp_path / "mine.toml").write_text(SPACE.replace('recogniser = "auto"', f'recogniser = "{tmp_path}"'))
    inputs = packed(str(voice), space=str(tmp_path / "mine.toml"), recogniser=str(ears), language="en")
    (moved,) = inputs.replacements["recogniser"]
    assert [path.name for path in (arrived(inputs, tmp_path / "there") / Path(moved).name).iterdir()] == ["config.json"]
    assert len(inputs.bundles) == 3 and "language" not in inputs.replacements
    by_hub_id = packed(str(voice), recogniser="somebody/ears")
    assert by_hub_id.replacements.keys() == {"data"}


SPACE = (FOLDER / "voice.toml").read_text()


def test_a_space_file_is_sent_with_the_files_it_names(tmp_path: Path) -> None:
    voice, model = make_voice(tmp_path / "voice"), make_toy_model(tmp_path / 'a "model"')
    (tmp_path / "my lines.txt").write_text("one line\nanother line\n")
    probe = load_space("voice").probe.lines
    text = SPACE.replace(f'lines = "{probe}"', f"lines = '{tmp_path}/my lines.txt' # mine")
    text = text.replace(f'model = "{load_space("voice").model}"', 'model = "./a \\"model\\""')
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(InputError, match="mine.toml: model is a path.*on a line of its own"):
        packed(str(voice), space=str(tmp_path / "mine.toml"))
    model.rename(tmp_path / "its model")
    (tmp_path / "mine.toml").write_text(text.replace('a \\"model\\"', "its model"))
    inputs = packed(str(voice), space=str(tmp_path / "mine.toml"))
    there = arrived(inputs, tmp_path / "there")
    (moved,) = (there / Path(value).relative_to(THERE) for value in inputs.replacements["space"])
    space, here = load_space(str(moved)), load_space(str(tmp_path / "mine.toml"))
    lines, weights = (there / Path(value).relative_to(THERE) for value in (space.probe.lines, space.model))
    assert (
        lines.read_text() == "one line\nanother line\n"
        and visible_files(weights).keys() == visible_files(tmp_path / "its model").keys()
    )
    changed = {"lines": here.probe.lines}
    assert space.model_copy(
        update={"model": here.model, "probe": space.probe.model_copy(update=changed)}
    ) == here.model_copy(update={"probe": here.probe.model_copy(update=changed)})


@pytest.mark.parametrize("data", [(), ("voice",)], ids=["the demo", "another voice in its space"])
def test_the_demo_is_sent_to_a_folder_that_survives_a_restart_of_ray(tmp_path: Path, monkeypatch, data) -> None:
    """The uploaded project is gone after a restart; a resumed run names its voice and model by paths."""
    monkeypatch.chdir(tmp_path)
    make_voice(tmp_path / "voice")
    made = make_plan(Arguments(data=data, space="demo"), NOW, {"RAY_ADDRESS": "auto"})
    dataset, _ = open_dataset(made.sources, True, tmp_path / "cache")
    options = [("space", "--space", ("demo",)), *(("data", "--data", (value,)) for value in data)]
    inputs = inputs_of(made, dataset, options, THERE)
    there = arrived(inputs, tmp_path / "there")
    line = [word.replace(THERE, str(there)) for word in command_line(options, inputs.replacements, "/run")[6:]]
    typed = {name: word for name, _, word in (each.removeprefix("--").partition("=") for each in line)}
    assert typed.keys() == {"space", "data"} and len(line) == 2
    space = Path(typed["space"])
    space.write_text(space.read_text().replace(THERE, str(there)))
    gone = make_plan(Arguments(data=(typed["data"],), space=typed["space"]), NOW, {"RAY_ADDRESS": "auto"})
    assert Path(gone.model).is_relative_to(there) and gone.sources[0].path.is_relative_to(there)
    assert visible_files(Path(gone.model)).keys() == visible_files(Path(made.model)).keys()
    assert gone.space.model_copy(update={"model": made.space.model}) == made.space
    moved, _ = open_dataset(gone.sources, True, tmp_path / "cache")
    assert moved.fingerprint() == dataset.fingerprint()


def test_with_storage_the_demo_model_of_the_uploaded_project_is_used(tmp_path: Path, monkeypatch) -> None:
    """Only the project reaches every node: bundles are on the head, whose folders the nodes do not share."""
    monkeypatch.chdir(tmp_path)
    make_voice(tmp_path / "voice")
    made = make_plan(Arguments(data=("voice",), space="demo", storage="s3://b/p"), NOW, {"RAY_ADDRESS": "auto"})
    dataset, _ = open_dataset(made.sources, True, tmp_path / "cache")
    options = [("data", "--data", ("voice",)), ("space", "--space", ("demo",)), ("storage", "--storage", ("s3://b/p",))]
    inputs = inputs_of(made, dataset, options, THERE)
    (voice,) = inputs.bundles
    words = command_line(options, inputs.replacements, "/run")[6:]
    assert words == [f"--data={THERE}/{voice.name}", "--space=demo", "--storage=s3://b/p"]


def test_the_project_bundle_has_only_what_a_search_needs() -> None:
    names = set(project_bundle(ROOT).files)
    assert {"search/run.py", "spaces/voice.toml", "demo/checkpoint/config.json", "results/report/page.css"} <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".", "tests", "runs"))]


def test_bundles_have_equal_names_only_if_their_files_are_equal(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("words")
    one = make_bundle("my voice", {"a": tmp_path / "a", "b": b"bytes"})
    assert make_bundle("my voice", {"b": b"bytes", "a": tmp_path / "a"}).name == one.name
    (tmp_path / "a").write_text("other words")
    others = {
        make_bundle("my voice", {"a": tmp_path / "a", "b": b"bytes"}).name,
        make_bundle("my voice", {"b": b""}).name,
    }
    assert len({one.name, *others}) == 3


@given(words)
def test_a_safe_name_has_only_safe_characters(name: str) -> None:
    assert safe_name(name) and set(safe_name(name)) <= set(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
    )
    assert not safe_name(name).startswith(("-", "."))


def test_without_options_none_are_given() -> None:
    context = typer.main.get_command(_app()).make_context("run", [])
    assert given_options(context) == ()


def _app() -> typer.Typer:
    app = typer.Typer()
    app.command()(run)
    return app
