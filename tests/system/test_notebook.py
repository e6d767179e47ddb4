"""The example notebook, run by a kernel: on a daemon with a key, and on a pool of its own without one."""

from pathlib import Path

import nbformat
import numpy as np
import pytest
from daemons import daemons
from nbclient import NotebookClient

EXAMPLE = Path(__file__).parents[2] / "examples/notebook.ipynb"


def mean_of_waves(seed):
    """The notebook's, here."""
    values = np.random.default_rng(seed).random(100_000) * 10.0
    return float(np.mean(np.sin(values) + np.cos(values)))


MEANS = [mean_of_waves(seed) for seed in range(40)]
PRINTED = [
    f"40 means, {min(MEANS):.3f} to {max(MEANS):.3f}\n",
    f"{sum(n * n for n in range(1000))}\n",
    f"{round(0.9**20, 3)} TaskProgress(done=20, total=20, label='epochs')\n",
]


@pytest.fixture
def executed(tmp_path, monkeypatch):
    """Runs the notebook, cells put before its own; gives it back with its outputs."""
    for name in ("FARPOOL_URL", "RQ_REDIS_URL", "REDIS_URL", "FARPOOL_KEY", "FARPOOL_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name.lower()))

    def execute(*cells_before):
        notebook = nbformat.read(EXAMPLE, as_version=4)
        notebook.cells[:0] = [nbformat.v4.new_code_cell(source) for source in cells_before]
        NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(tmp_path)}}).execute()
        return notebook

    return execute


def printed(notebook):
    """What the cells have written to standard output."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return ["".join(output.text) for output in outputs if output.output_type == "stream" and output.name == "stdout"]


def bars(notebook):
    """The texts of the widgets that bars consist of."""
    state = notebook.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    return [model["state"]["value"] for model in state.values() if model["model_name"] == "HTMLModel"]


def test_functions_of_cells_run_on_a_daemon_with_the_same_key(server, tmp_path, monkeypatch, executed):
    monkeypatch.setenv("FARPOOL_KEY", "k" * 43)
    with daemons(server.url, tmp_path, "host1", options=("-c", "2")):
        monkeypatch.setenv("FARPOOL_URL", server.url)
        notebook = executed()
    assert printed(notebook) == PRINTED
    assert any("waves" in text for text in bars(notebook))
    assert any("40/40" in text for text in bars(notebook))


def test_a_notebook_without_any_server_needs_no_key(executed, leaves_nothing):
    notebook = executed("import farpool_common.address\nfarpool_common.address.DEFAULT_URL = 'redis://localhost:1/0'")
    assert printed(notebook) == PRINTED
    assert any("40/40" in text for text in bars(notebook))


def test_without_tqdm_the_results_come_with_advice(server, tmp_path, monkeypatch, executed):
    monkeypatch.setenv("FARPOOL_KEY", "k" * 43)
    with daemons(server.url, tmp_path, "host1", options=("-c", "2")):
        monkeypatch.setenv("FARPOOL_URL", server.url)
        notebook = executed("import sys\nsys.modules['tqdm.notebook'] = None")
    assert printed(notebook) == PRINTED
    texts = [
        output.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "text" in output
    ]
    assert any("pip install farpool[notebook]" in text for text in texts)
