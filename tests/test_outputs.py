"""What the command line may replace in a folder, and what it may not."""

import json
import os
import re

import numpy as np
import pytest

from skdbn import RBMTransformer
from skdbn._cli.outputs import Folder

OURS = {"versions": {"skdbn": "0.1"}}


def write(folder, **texts):
    for name, text in texts.items():
        folder.write(f"{name}.png", text.encode())


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("exists", [False, True])
def test_new_or_empty_folder_is_taken_and_marked(tmp_path, exists):
    path = tmp_path / "a" / "out"
    if exists:
        path.mkdir(parents=True)
    Folder(path)
    assert not json.loads((path / "report.json").read_text())["finished"]
    Folder(path)  # a run that was killed before it had results


def test_files_of_an_earlier_run_are_replaced_or_removed_and_others_stay(tmp_path):
    out = Folder(tmp_path)
    write(out, one="old", two="old")
    out.write_report(OURS)
    (tmp_path / "notes.txt").write_text("mine")
    out = Folder(tmp_path)
    write(out, one="new")
    assert names(tmp_path) == ["notes.txt", "one.png", "report.json", "two.png"]
    out.write_report(OURS)
    assert names(tmp_path) == ["notes.txt", "one.png", "report.json"]
    assert (tmp_path / "one.png").read_text() == "new"
    assert (tmp_path / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("model.npz", "mine"),
        ("report.json", "mine"),
        ("report.json", "[]"),
        ("report.json", "{}"),
        ("report.json", '{"versions": 1}'),
        ("report.json", '{"versions": {"other": 1}}'),
        ("report.json", "[" * 100_000),
    ],
)
def test_folder_of_somebody_else_is_refused(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match="files that skdbn did not write.*Pass a new or empty"):
        Folder(tmp_path)
    assert names(tmp_path) == [name]
    assert (tmp_path / name).read_text() == text


def test_report_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "report.json")
    with pytest.raises(ValueError, match="files that skdbn did not write"):
        Folder(tmp_path)


@pytest.mark.parametrize("name", ["model.npz", "index.html", "submission.csv"])
def test_files_that_the_report_does_not_list_are_not_replaced(tmp_path, name):
    Folder(tmp_path)  # a run that was killed before it had results
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=f"has a file {name} that its report.json does not list"):
        Folder(tmp_path)


def test_model_beside_a_report_that_lists_no_files_is_of_that_run(tmp_path):
    (tmp_path / "report.json").write_text(json.dumps(OURS))
    (tmp_path / "model.npz").write_text("old")
    Folder(tmp_path).write_report(OURS)
    assert names(tmp_path) == ["report.json"]


def test_report_names_no_file_elsewhere(tmp_path):
    (tmp_path / "mine").write_text("")
    out = tmp_path / "out"
    out.mkdir()
    files = ["../mine", str(tmp_path / "mine"), 1, "..", ""]
    (out / "report.json").write_text(json.dumps({**OURS, "files": files}))
    Folder(out).write_report(OURS)
    assert (tmp_path / "mine").exists()
    assert names(out) == ["report.json"]


@pytest.mark.parametrize("name", ["model.npz", "report.json", "submission.csv", "samples.png"])
def test_folder_where_a_file_is_to_be_written_is_refused_at_once(tmp_path, name):
    out = Folder(tmp_path)
    write(out, samples="")
    out.write_report(OURS)
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).mkdir()
    problem = f"{tmp_path / name} is a folder" if name != "report.json" else "did not write"
    with pytest.raises(ValueError, match=re.escape(problem)):
        Folder(tmp_path)


def test_file_that_is_not_a_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ValueError, match="out exists and is not a folder"):
        Folder(tmp_path / "out")


def test_every_file_is_listed_before_it_is_there(tmp_path):
    out = Folder(tmp_path)
    write(out, one="new")
    out.write_report(OURS)
    write(out, two="new")  # and the run ends here
    assert set(names(tmp_path)) <= set(json.loads((tmp_path / "report.json").read_text())["files"])
    write(Folder(tmp_path), three="newer")
    assert not json.loads((tmp_path / "report.json").read_text())["finished"]
    Folder(tmp_path).write_report(OURS)
    assert names(tmp_path) == ["report.json"]


def test_what_a_killed_process_left_is_written_over(tmp_path):
    out = Folder(tmp_path)
    (tmp_path / ".samples.png.tmp").write_text("half of a fig")
    write(out, samples="whole")
    assert names(tmp_path) == ["report.json", "samples.png"]
    assert (tmp_path / "samples.png").read_text() == "whole"


@pytest.mark.filterwarnings("ignore::skdbn.HiddenUnitsWarning")
@pytest.mark.parametrize("name", ["model.npz", "samples.png", "report.json"])
def test_link_is_replaced_and_not_what_it_leads_to(tmp_path, name):
    mine, path = tmp_path / "mine", tmp_path / "out"
    mine.write_text("mine")
    out = Folder(path)
    (path / name).unlink(missing_ok=True)
    (path / name).symlink_to(mine)
    write(out, samples="whole")
    out.write_model(RBMTransformer(2, n_iter=1, random_state=0).fit(np.eye(4)))
    out.write_report(OURS)
    assert mine.read_text() == "mine"
    assert not any(file.is_symlink() for file in path.iterdir())


def test_link_in_the_place_of_the_unfinished_file_is_not_followed(tmp_path):
    (tmp_path / "mine").write_text("mine")
    out = Folder(tmp_path / "out")
    (out.path / ".samples.png.tmp").symlink_to(tmp_path / "mine")
    with pytest.raises(OSError, match="symbolic links"):
        write(out, samples="whole")
    assert (tmp_path / "mine").read_text() == "mine"


def test_testing_the_folder_leaves_hidden_files(tmp_path):
    Folder(tmp_path)
    (tmp_path / ".test").write_text("mine")
    Folder(tmp_path)
    assert (tmp_path / ".test").read_text() == "mine"
