"""The folder that the command line writes to.

The rule: what skdbn did not write is never replaced. So ``--out`` takes a folder that is new or
empty, or one of an earlier run, which `report.json` in it shows. In such a folder the files that
the earlier run wrote are replaced, and those that this run does not write are removed; whatever
else is there stays. A file is written whole or not at all.
"""

import json
import tempfile
from pathlib import Path

from skdbn import save_model
from skdbn._files.storage import replaced

MODEL, PAGE, REPORT, SUBMISSION = "model.npz", "index.html", "report.json", "submission.csv"
OF_OLD_REPORTS = [REPORT, MODEL, SUBMISSION]  # which listed no files
PRODUCER = "skdbn"  # the key of `versions` that shows who wrote a report


class Folder:
    """A folder for results, tested before there are any.

    Parameters
    ----------
    path : Path
        The folder. A new one is made, and marked as one of skdbn by a report without results.

    Raises
    ------
    ValueError
        When it is no folder, or has files that skdbn did not write.
    OSError
        When it cannot be written to.
    """

    def __init__(self, path):
        self.path = path
        self._written = []
        if path.exists() and not path.is_dir():
            raise ValueError(f"--out {path} exists and is not a folder: name another one.")
        path.mkdir(parents=True, exist_ok=True)
        self._earlier = _files_of_earlier_run(path)
        for name in {*self._earlier, MODEL, PAGE, REPORT, SUBMISSION}:
            if (path / name).is_dir():
                raise ValueError(
                    f"--out {path}: {path / name} is a folder where a file is to be written. "
                    "Remove it, or name another folder."
                )
        for name in (MODEL, PAGE, SUBMISSION):
            if (path / name).exists() and name not in self._earlier:
                raise ValueError(
                    f"--out {path} has a file {name} that its {REPORT} does not list: move it, or "
                    "name another folder."
                )
        if self._earlier:
            tempfile.TemporaryFile(dir=path).close()  # it can be written to
        else:
            self.write_report({"finished": False, "versions": {PRODUCER: None}})

    @property
    def files(self):
        """Names of the files of this run, with the report, which comes last."""
        return sorted({*self._written, REPORT})

    def write_model(self, model):
        """Write the fitted model.

        Parameters
        ----------
        model : estimator
            What `save_model` takes.
        """
        save_model(model, self._path_of(MODEL))
        self._written.append(MODEL)

    def write(self, name, content):
        """Write another file, whole or not at all.

        Parameters
        ----------
        name : str
            Its name.
        content : bytes
            Its content.
        """
        with replaced(self._path_of(name)) as file:
            file.write(content)
        self._written.append(name)

    def _path_of(self, name):
        """Return the path of a file to write, without the link that may be there."""
        path = self.path / name
        if path.is_symlink():  # what it leads to is not ours
            path.unlink()
        return path

    def write_report(self, report):
        """Write the report, which lists all files, and remove those of an earlier run.

        Parameters
        ----------
        report : dict
            What JSON can hold.
        """
        files = self.files
        text = json.dumps({**report, "files": files}, indent=2)
        with replaced(self._path_of(REPORT)) as file:
            file.write(f"{text}\n".encode())
        for name in set(self._earlier) - set(files):
            (self.path / name).unlink(missing_ok=True)
        self._earlier = files


def _files_of_earlier_run(folder):
    """Return the names of the files that an earlier run wrote, none where the folder is empty."""
    if not any(folder.iterdir()):
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
            f"--out {folder} has files that skdbn did not write (it has no {REPORT} of an "
            "earlier run): name a new or an empty folder."
        )
    # Names are of this folder, whatever the file says.
    return [
        name
        for name in files
        if isinstance(name, str) and Path(name).name == name and name not in ("", "..")
    ]
