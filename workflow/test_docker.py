"""Build the Dockerfile without a Docker engine, and read the chapters in the image as Binder would.

The image is built by buildah on a Debian base made here. In it JupyterLab runs as an unprivileged user, with a memory
limit like Binder's; every chapter is opened through the server's interface, all its cells are executed, and memory,
time and outputs are checked. Needs root on Debian, buildah and debootstrap.

    python workflow/test_docker.py [CHAPTER ...] [--build-only | --keep-image]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import requests
import websocket
import yaml

PROJECT = Path(__file__).resolve().parents[1]
STORAGE = PROJECT / "_build" / "docker"
BASE, IMAGE, CONTAINER = "docker.io/library/python:3.11-slim", "localhost/spectra", "spectra-test"
USER, UID = "jovyan", 1234  # other than the Dockerfile's own, as on Binder
MEMORY_LIMIT = 2 * 2**30  # Binder's
CHAPTER_MEMORY = 1.5 * 2**30
CHAPTER_SECONDS = 180.0  # of one core
CGROUPS = Path("/sys/fs/cgroup")


class CheckError(Exception):
    """Something is not as it should be."""


def buildah(*arguments: str | Path, **options: Any) -> str:
    """Run buildah on storage of our own, and give what it printed."""
    command = ["buildah", "--storage-driver", "vfs", "--root", STORAGE / "root", "--runroot", STORAGE / "run"]
    return subprocess.run([*command, *arguments], check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def make_base() -> None:
    """Make a Debian with Python 3.11, and give it the name that the Dockerfile asks for."""
    wanted = f"FROM {BASE.rsplit('/', 1)[1]}"
    if wanted not in (PROJECT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        raise CheckError(f"the Dockerfile is not based on {BASE}; mend workflow/test_docker.py")
    with tempfile.TemporaryDirectory() as folder:
        packages = "ca-certificates,python3,python3-venv,python-is-python3"
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={packages}", "bookworm", f"{folder}/base"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        container = buildah("from", "scratch").strip()
        buildah("copy", "--quiet", container, f"{folder}/base", "/")
        buildah("commit", "--quiet", "--rm", container, BASE)


def pip_settings(folder: Path) -> list[str]:
    """Let pip and uv in the image find packages where pip on this machine does; nothing of it stays in the image."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True, text=True, capture_output=True)
    settings: dict[str, str] = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        scope, _, name = key.partition(".")
        if scope == ":env:":
            settings[name] = value[1:-1]
        elif scope == "global":
            settings.setdefault(name, value[1:-1])
    words = [word for value in settings.values() for word in value.split()]
    # the files of an index on disk lie beside it
    paths = [word.removeprefix("file://").rpartition("/")[0] for word in words if word.startswith("file:///")]
    paths = sorted({path for path in [*words, *paths] if path.startswith("/") and Path(path).exists()})
    conf = folder / "pip.conf"
    conf.write_text("\n".join(["[global]", *(f"{k} = {v}" for k, v in settings.items())]) + "\n", encoding="utf-8")
    uv = folder / "uv.toml"
    index = [f'index-url = "{settings["index-url"]}"'] if "index-url" in settings else []
    uv.write_text("\n".join(["system-certs = true", *index]) + "\n", encoding="utf-8")
    mounts = [f"{conf}:/etc/pip.conf:ro", f"{uv}:/etc/uv/uv.toml:ro", *(f"{path}:{path}:ro" for path in paths)]
    return [word for mount in mounts for word in ("--volume", mount)]


def build_image() -> None:
    """Build the Dockerfile as BinderHub does, with a user and uid of its choice."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--build-arg", f"NB_USER={USER}", "--build-arg", f"NB_UID={UID}", *pip_settings(Path(folder))]
        buildah("bud", "--isolation=chroot", "--pull-never", "--tag", IMAGE, *arguments, PROJECT)


@contextmanager
def memory_cgroup() -> Iterator[Path | None]:
    """Make a control group with the memory limit, of version 1 or 2; give None where that is not allowed."""
    second = (CGROUPS / "cgroup.controllers").exists()
    group = (CGROUPS if second else CGROUPS / "memory") / f"spectra-{os.getpid()}"
    try:
        group.mkdir()
        (group / ("memory.max" if second else "memory.limit_in_bytes")).write_text(str(MEMORY_LIMIT))
    except OSError:
        yield None
        return
    try:
        yield group
    finally:
        group.rmdir()


@dataclass
class Usage:
    """Memory and processor time of a process and its descendants, watched five times a second."""

    root: psutil.Process
    peak: int = 0
    seconds: dict[int, float] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look until told to stop."""
        while not self.stopped.wait(0.2):
            total = 0
            try:
                processes = [self.root, *self.root.children(recursive=True)]
            except psutil.NoSuchProcess:
                return
            for process in processes:
                try:
                    total += process.memory_info().rss
                    times = process.cpu_times()
                except psutil.NoSuchProcess:
                    continue
                self.seconds[process.pid] = times.user + times.system
            self.peak = max(self.peak, total)

    @contextmanager
    def measured(self) -> Iterator[dict[str, float]]:
        """Give peak memory and processor seconds of what happens inside."""
        self.peak, before, result = 0, sum(self.seconds.values()), {}
        yield result
        time.sleep(0.5)
        result |= {"peak": self.peak, "seconds": sum(self.seconds.values()) - before}


@dataclass(frozen=True)
class Server:
    """JupyterLab's interface."""

    port: int
    token: str

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """Ask for something, and give the answer."""
        headers = {"Authorization": f"token {self.token}"}
        url = f"http://127.0.0.1:{self.port}/{path}"
        answer = requests.request(method, url, headers=headers, timeout=120, **options)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    @contextmanager
    def kernel(self, path: str) -> Iterator[websocket.WebSocket]:
        """Start a kernel for a notebook as Lab does, and give a connection to it."""
        session = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
        made = self.ask("POST", "api/sessions", json=session)
        address = f"ws://127.0.0.1:{self.port}/api/kernels/{made['kernel']['id']}/channels?token={self.token}"
        connection = websocket.create_connection(address, timeout=1800)
        try:
            yield connection
        finally:
            connection.close()
            self.ask("DELETE", f"api/sessions/{made['id']}")


def execute(connection: websocket.WebSocket, code: str) -> list[dict[str, Any]]:
    """Execute code in a kernel and give its outputs; messages as in Jupyter's kernel protocol."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "session": "check", "username": ""}
    header["version"] = "5.3"
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False, "stop_on_error": True}
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
    connection.send(json.dumps(message))
    outputs = []
    while True:
        received = json.loads(connection.recv())
        kind, content = received["header"]["msg_type"], received["content"]
        if kind == "status" and content["execution_state"] in ("restarting", "dead"):
            raise CheckError("the kernel died, as it does when memory runs out")
        if received["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        if kind == "error":
            raise CheckError(f"{content['ename']}: {content['evalue']}")
        if kind in ("display_data", "execute_result"):
            outputs.append(content["data"])
        if kind == "status" and content["execution_state"] == "idle":
            return outputs


def read_chapter(server: Server, name: str) -> int:
    """Execute a chapter cell by cell and give its number of figures; a figure's cell must show one."""
    path = f"notebooks/{name}.md"
    cells = server.ask("GET", f"api/contents/{path}?type=notebook&content=1")["content"]["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    if not code:
        raise CheckError(f"{path} does not open as a notebook with code cells")
    figures = 0
    with server.kernel(path) as connection:
        for number, cell in enumerate(code, start=1):
            try:
                outputs = execute(connection, cell["source"])
            except CheckError as error:
                raise CheckError(f"{path}, code cell {number}: {error}") from None
            if "figure" in cell["metadata"].get("mystnb", {}):
                shown = {kind for output in outputs for kind in output}
                if not shown & {"image/png", "image/svg+xml", "text/html", "application/vnd.jupyter.widget-view+json"}:
                    raise CheckError(f"{path}, code cell {number}: no figure; outputs are {sorted(shown)}")
                figures += 1
    return figures


@contextmanager
def running_server(group: Path | None) -> Iterator[tuple[Server, Usage]]:
    """Start JupyterLab in the image, on a port of our choice, as an unprivileged user under the memory limit."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        server = Server(free.getsockname()[1], uuid.uuid4().hex)
    buildah("from", "--pull-never", "--name", CONTAINER, IMAGE)
    command = ["buildah", "--storage-driver", "vfs", "--root", STORAGE / "root", "--runroot", STORAGE / "run"]
    command += ["run", "--isolation=chroot", CONTAINER, "--", "jupyter-lab", "--no-browser", "--ip=127.0.0.1"]
    command += [f"--port={server.port}", f"--ServerApp.token={server.token}", "--LabApp.news_url=None"]

    def join() -> None:
        if group:
            (group / "cgroup.procs").write_text(str(os.getpid()))

    with (PROJECT / "_build" / "docker" / "jupyter.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=join)
        usage = Usage(psutil.Process(process.pid))
        watching = threading.Thread(target=usage.watch, daemon=True)
        watching.start()
        try:
            for _ in range(240):
                try:
                    server.ask("GET", "api/status")
                    break
                except requests.ConnectionError:
                    if process.poll() is not None:
                        raise CheckError(f"JupyterLab did not start; see {log.name}") from None
                    time.sleep(1)
            yield server, usage
            server.ask("POST", "api/shutdown")
            process.wait(60)
        finally:
            usage.stopped.set()
            watching.join()
            process.terminate()
            process.wait()
            buildah("rm", CONTAINER)


def check_user(usage: Usage) -> None:
    """Check that the server runs as the user asked for."""
    servers = [p for p in usage.root.children(recursive=True) if "/opt/spectra/bin/jupyter-lab" in p.cmdline()]
    if {process.uids().effective for process in servers} != {UID}:
        raise CheckError(f"JupyterLab does not run as uid {UID} alone: {servers}")


def check_viewer(server: Server) -> None:
    """Check that JupyterLab opens Markdown notebooks as notebooks."""
    answer = server.ask("GET", "lab/api/settings/@jupyterlab/docmanager-extension:plugin")
    viewers = answer["schema"]["properties"]["defaultViewers"]["default"]
    if viewers.get("markdown") != "Jupytext Notebook":
        raise CheckError(f"JupyterLab does not open Markdown as notebooks; default viewers are {viewers}")


def main() -> int:
    """Do what the arguments ask for; give the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("chapters", nargs="*", help="chapters to execute; all of the book's by default")
    parser.add_argument("--keep-image", action="store_true", help="use the image that was built last")
    parser.add_argument("--build-only", action="store_true", help="build the image and stop")
    options = parser.parse_args()
    if os.getuid() or not (shutil.which("buildah") and shutil.which("debootstrap")):
        print("test_docker: needs root, and Debian's packages buildah and debootstrap", file=sys.stderr)
        return 2
    listed = yaml.safe_load((PROJECT / "book" / "chapters.yml").read_text(encoding="utf-8"))
    chapters = options.chapters or list(listed)
    images = buildah("images", "--format", "{{.Name}}").split()
    if BASE.rsplit(":", 1)[0] not in images:
        print("test_docker: making the base image", flush=True)
        make_base()
    if not (options.keep_image and IMAGE in images):
        print("test_docker: building the image", flush=True)
        build_image()
    if options.build_only:
        return 0
    faults = []
    with memory_cgroup() as group, running_server(group) as (server, usage):
        how = f"control group {group}" if group else "none; measured only, no control group can be made here"
        print(f"test_docker: JupyterLab answers; memory limit {MEMORY_LIMIT / 2**30:g} GB ({how})", flush=True)
        check_user(usage)
        check_viewer(server)
        for name in chapters:
            try:
                with usage.measured() as used:
                    figures = read_chapter(server, name)
            except CheckError as error:
                faults.append(str(error))
                continue
            said = f"{figures} figures, {used['seconds']:.0f} s of one core, {used['peak'] / 2**30:.2f} GB"
            print(f"test_docker: {name}: {said}", flush=True)
            if used["seconds"] > CHAPTER_SECONDS or used["peak"] > CHAPTER_MEMORY:
                faults.append(f"{name} needs too much: {said}")
    for fault in faults:
        print(f"test_docker: {fault}", file=sys.stderr)
    print(f"test_docker: {'failed' if faults else 'passed'}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
