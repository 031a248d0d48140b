"""One thread for small networks (more would only wait for each other), and trained runs that tests share."""

import os

import pytest
import torch


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def data_folder():
    """`--data` names the folder for the rest of the process; here for the rest of the test."""
    before = os.environ.get("NEURO_DATA")
    yield
    os.environ.pop("NEURO_DATA", None)
    if before is not None:
        os.environ["NEURO_DATA"] = before


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory):
    """A finished run of the tiny task on DYNAP-SE1; tests that change it copy it first."""
    from tiny_task import TINY

    import neuro

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("shared")
    (folder / "tiny.yaml").write_text(TINY)
    neuro.train(str(folder / "tiny.yaml"), "dynapse1", folder / "run", progress=_quiet())
    return folder / "run"


@pytest.fixture(scope="session")
def unfinished_run(tmp_path_factory):
    """A run of the same task that ended right after its first epoch was saved."""
    from tiny_task import TINY

    import neuro
    from neuro.training.progress import Quiet

    class Ending(Quiet):
        def epoch(self, line, better):
            raise EOFError

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("unfinished")
    (folder / "tiny.yaml").write_text(TINY)
    with pytest.raises(EOFError):
        neuro.train(str(folder / "tiny.yaml"), "dynapse1", folder / "run", progress=Ending())
    return folder / "run"


def _quiet():
    from neuro.training.progress import progress_for

    return progress_for("quiet")


@pytest.fixture
def tiny(tmp_path):
    """The tiny task's file."""
    from tiny_task import TINY

    path = tmp_path / "tiny.yaml"
    path.write_text(TINY)
    return path
