"""The output folder of the command line.

The rule: files that skdbn did not write are never replaced. So ``--out`` takes a folder that is
new, empty but for hidden files, or from an earlier run, as its `report.json` shows. Files of the
earlier run are replaced, or removed if this run does not write them; all other files stay. A file
is written completely or not at all, and only once the report lists it: so a run that ends early
leaves a folder that the next run takes.
"""

import json
from pathlib import Path

from skdbn import save_model
from skdbn._files.storage import check_can_write, replaced

MODEL, PAGE, REPORT, SUBMISSION = "model.npz", "index.html", "report.json", "submission.csv"
OF_OLD_REPORTS = [REPORT, MODEL, SUBMISSION]  # files of old runs, whose reports list none
OF_FILE_MANAGERS = {".DS_Store", "Thumbs.db", "desktop.ini"}  # which they leave in any folder
PRODUCER = "skdbn"  # key of `versions` that shows that skdbn wrote a report
WITHOUT_RESULTS = {"finished": False, "versions": {PRODUCER: None}}  # a report


class Folder:
    """An output folder, checked before there are results.

    Parameters
    ----------
    path : Path
        The folder. A new one is created, and marked as written by skdbn by a report without
        results.

    Raises
    ------
    ValueError
        If the path is not a folder, or the folder has files that skdbn did not write.
    OSError
        If the folder is not writable.
    """

    def __init__(self, path):
        self.path = path
        self._written, self._report = [], WITHOUT_RESULTS
        if path.exists() and not path.is_dir():
            raise ValueError(f"--out {path} exists and is not a folder. Pass another path.")
        path.mkdir(parents=True, exist_ok=True)
        self._earlier = _files_of_earlier_run(path)
        for name in {*self._earlier, MODEL, PAGE, REPORT, SUBMISSION}:
            if (path / name).is_dir():
                raise ValueError(
                    f"--out {path}: {path / name} is a folder, but a file of this name will be "
                    "written. Remove it, or pass another folder."
                )
        for name in (MODEL, PAGE, SUBMISSION):
            if (path / name).exists() and name not in self._earlier:
                raise ValueError(
                    f"--out {path} has a file {name} that its {REPORT} does not list. Move it, or "
                    "pass another folder."
                )
        if self._earlier:
            check_writable(path / REPORT, f"--out {path}")
        else:
            self.write_report(WITHOUT_RESULTS)

    @property
    def files(self):
        """Names of the files of this run, including the report."""
        return sorted({*self._written, REPORT})

    def write_model(self, model):
        """Write the fitted model.

        Parameters
        ----------
        model : estimator
            Any model that `save_model` accepts.
        """
        save_model(model, self._listed(MODEL))

    def write(self, name, content):
        """Write another file, completely or not at all.

        Parameters
        ----------
        name : str
            Name of the file.
        content : bytes
            Content of the file.
        """
        with replaced(self._listed(name)) as file:
            file.write(content)

    def _listed(self, name):
        """Return the path of a file to write, once the report lists it."""
        self._written.append(name)
        self._replace_report({*self._earlier, *self.files})
        return self._path_of(name)

    def _replace_report(self, files):
        """Write the last report of this run with other files."""
        text = json.dumps({**self._report, "files": sorted(files)}, indent=2)
        with replaced(self._path_of(REPORT)) as file:
            file.write(f"{text}\n".encode())

    def _path_of(self, name):
        """Return the path of a file to write; remove a symbolic link there."""
        path = self.path / name
        if path.is_symlink():  # its target is not ours
            path.unlink()
        return path

    def write_report(self, report):
        """Write the report, which lists all files, and remove other files of an earlier run.

        Parameters
        ----------
        report : dict
            Content that JSON can represent.
        """
        files, self._report = self.files, report
        self._replace_report(files)
        for name in set(self._earlier) - set(files):
            (self.path / name).unlink(missing_ok=True)
        self._earlier = files


def check_writable(path, what):
    """Raise if a file cannot be written."""
    try:
        check_can_write(path, {})
    except OSError as error:
        raise ValueError(f"{what}: {path.absolute().parent}: {error.strerror}.") from error


def _files_of_earlier_run(folder):
    """Return the names of the files of an earlier run, none if the folder is empty."""
    if not {file.name for file in folder.iterdir()} - OF_FILE_MANAGERS:
        return []
    try:
        if not (folder / REPORT).is_file():  # reading a pipe would wait for a writer
            raise TypeError("not a file")
        report = json.loads((folder / REPORT).read_text())
        is_ours, files = PRODUCER in report["versions"], list(report.get("files", OF_OLD_REPORTS))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        is_ours, files = False, []
    if not is_ours:
        raise ValueError(
            f"--out {folder} has files that skdbn did not write (it has no {REPORT} of an earlier "
            "run). Pass a new or empty folder."
        )
    # Only names within the folder count, whatever the report says.
    return [
        name
        for name in files
        if isinstance(name, str) and Path(name).name == name and name not in ("", "..")
    ]
