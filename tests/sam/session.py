"""A session of `sam local invoke` that sends events to their functions, with a local cloud, an engine and an image.

It runs in separate namespaces (``unshare --net --pid --mount``), so that network, processes and mounts end with it:
``python -m tests.sam.session FOLDER CGROUP``. FOLDER contains ``build/`` of `sam build` and ``root/`` of the image; the
responses are written to ``answers.json``. Containers are in control groups below CGROUP, which outlives the session.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from local.credentials import Credentials
from tests.events.arrange import Scene
from tests.events.cases import CASES, Case
from tests.events.stage import environment_of, stage_template
from tests.functions import ROOT, all_functions
from tests.sam.conftest import SAM
from tests.sam.forwarder import Forwarder
from tests.sam.image import SETTINGS

FIRST_CASES: dict[str, Case] = {case.function: case for case in reversed(CASES)}
INVOKED = CASES if os.environ.get("EVERY_EVENT") else list(FIRST_CASES.values())
"""One event of each function shows that its artifact runs in the container; tests/events passes all to the handlers."""

BRIDGE = "172.17.0.1"  # the machine's address in the engine's default network
NO_ROUTING = ("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")


@dataclass(frozen=True)
class Session:
    """The folder and control group of the session."""

    folder: Path
    cgroup: str

    def run(self) -> None:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        stack = self._bring_up_cloud()
        engine = self._start_engine()
        try:
            self._import_image()
            forwarder = Forwarder(BRIDGE, int(stack["endpoint"].rsplit(":", 1)[1]))
            forwarder.start()
            forwarder.wait()
            answers = self._invoke_all(stack)
        finally:
            engine.terminate()
            engine.wait(60)
            self._cloud("down")
        (self.folder / "answers.json").write_text(json.dumps(answers, indent=1))

    def _cloud(self, *arguments: str | Path) -> None:
        command = [sys.executable, "-m", "local", *arguments, "--state-dir", self.folder / "cloud"]
        subprocess.run(command, cwd=ROOT, check=True)

    def _bring_up_cloud(self) -> dict[str, Any]:
        template = self.folder / "stage.yaml"
        template.write_text(json.dumps(stage_template()))
        (self.folder / "samconfig.toml").write_bytes((ROOT / "samconfig.toml").read_bytes())
        self._cloud("up", "--template", template, "--parameter", f"JobsVersion={'0' * 12}")
        return dict(json.loads((self.folder / "cloud" / "stack.json").read_text()))

    def _start_engine(self) -> "subprocess.Popen[bytes]":
        place = self.folder / "docker"
        place.mkdir()
        os.environ["DOCKER_HOST"] = f"unix://{place}/docker.sock"
        folders = (f"--data-root={place / 'data'}", f"--exec-root={place / 'exec'}", f"--pidfile={place / 'pid'}")
        command = ["dockerd", f"--host={os.environ['DOCKER_HOST']}", *folders, f"--cgroup-parent=/{self.cgroup}"]
        with (place / "log").open("wb") as log:
            engine = subprocess.Popen([*command, *NO_ROUTING], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0:
            if engine.poll() is not None or time.monotonic() > deadline:
                engine.kill()
                sys.exit("the engine did not start:\n" + (place / "log").read_text()[-2000:])
            time.sleep(0.1)
        return engine

    def _import_image(self) -> None:
        changes = [argument for setting in SETTINGS for argument in ("--change", setting)]
        with subprocess.Popen(["tar", "-C", self.folder / "root", "-cf", "-", "."], stdout=subprocess.PIPE) as tar:
            runtime = "public.ecr.aws/lambda/python:3.12-x86_64"  # SAM looks for this name
            subprocess.run(["docker", "import", *changes, "-", runtime], stdin=tar.stdout, check=True)

    def _invoke_all(self, stack: dict[str, Any]) -> dict[str, Any]:
        os.environ |= {
            "AWS_ENDPOINT_URL": stack["endpoint"],
            "AWS_DEFAULT_REGION": stack["region"],
            **Credentials(stack["access_key_id"], stack["secret_access_key"]).environment,
        }
        endpoint = f"http://{BRIDGE}:{stack['endpoint'].rsplit(':', 1)[1]}"
        template = self._template_with_endpoint()
        functions = {function.folder: function for function in all_functions()}
        answers: dict[str, Any] = {}
        for case in INVOKED:
            function = functions[case.function]
            scene = Scene(case, stack["outputs"]["FilesTable"])
            environment = environment_of(function.environment, stack["outputs"]) | {"AWS_ENDPOINT_URL": endpoint}
            done = self._invoke(template, function.logical_id, scene.event(), environment)
            print(f"{case.path}: {done.stdout.strip()[:200]}", flush=True)
            answers[case.path] = {"answer": done.stdout, "log": done.stderr, "statuses": scene.statuses()}
        return answers

    def _template_with_endpoint(self) -> Path:
        """Return the built template with one more variable: SAM sets only variables that the template names."""
        template = yaml_parse((self.folder / "build" / "template.yaml").read_text())
        template["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = ""
        path = self.folder / "build" / "with_endpoint.yaml"
        path.write_text(json.dumps(template))
        return path

    def _invoke(
        self, template: Path, name: str, event: dict[str, Any], environment: dict[str, str]
    ) -> subprocess.CompletedProcess[str]:
        event_file, environment_file = self.folder / "event.json", self.folder / "environment.json"
        event_file.write_text(json.dumps(event))
        environment_file.write_text(json.dumps({name: environment}))
        files: list[str | Path] = ["--template", template, "--event", event_file, "--env-vars", environment_file]
        command = [SAM, "local", "invoke", name, *files, "--skip-pull-image"]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    Session(Path(sys.argv[1]).resolve(), sys.argv[2]).run()
