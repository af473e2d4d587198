"""
Kill the control plane at random moments, and see that nothing is lost, mixed or damaged.

A folder is edited as two teams would, mistakes and changes of the policy included. After each few
edits the process is killed, wherever it is: reading, translating, saving, publishing or still
starting. What it loads then, and what it serves then, must be what a translation that was never
interrupted would have served for one of the folder's states.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from policy import story
from support import ControlPlane, Process, save, wait_until

from translator.emit import emit
from translator.pipeline import Inputs, translate

PROXY = "gateway-proxy"


@dataclass
class Folder:
    """The resources of two teams, and edits of them."""

    root: Path
    dice: random.Random
    files: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        service, pods = story.kube("api", 1)
        self.files = {
            "gateway/app.yaml": story.APP,
            "gateway/settings.yaml": story.HOLD,
            "gateway/echo.yaml": story.upstream("echo"),
            "gateway/foxtrot.yaml": story.upstream("foxtrot"),
            "gateway/api.yaml": service,
            "gateway/pods.yaml": pods,
            "echo/routes.yaml": story.table("echo", story.route("/echo", "echo")),
            "foxtrot/routes.yaml": story.table("foxtrot", story.split("/foxtrot", ("api", 1))),
        }
        for name, text in self.files.items():
            save(self.root / name, text)

    @property
    def inputs(self):
        return Inputs(files={name: text.encode() for name, text in self.files.items()})

    def edit(self):
        """Change one file, and return what was done in a word."""
        team = self.dice.choice(["echo", "foxtrot"])
        number = self.dice.randrange(1000)
        name, text, word = self.dice.choice(
            [
                (f"{team}/routes.yaml", table(team, number, "api"), "valid"),
                (f"{team}/routes.yaml", table(team, number, team), "valid"),
                (f"{team}/routes.yaml", table(team, number, "typo"), "typo"),
                (f"{team}/routes.yaml", f"spec: [ # {number}", "syntax"),
                ("gateway/pods.yaml", story.kube("api", number % 200, 201)[1], "endpoints"),
                (
                    "gateway/settings.yaml",
                    self.dice.choice([story.HOLD, story.REPLACE, story.KEEP]),
                    "policy",
                ),
            ]
        )
        self.files[name] = text
        save(self.root / name, text)
        return word


def table(team, number, upstream):
    weights = (upstream, 1 + number), ("echo", 1)
    more = story.route(f"/{team}/{number}", team)
    return story.table(team, story.split(f"/{team}", *weights), more)


class Model:
    """All that a control plane may serve that may skip edits, but forgets nothing."""

    def __init__(self, inputs):
        self.candidates = [translate(inputs)]
        self.passed = []
        """What may have been served on the way to the newest inputs."""

    def edited(self, inputs):
        self.passed += self.candidates
        self.candidates = distinct(
            [*(translate(inputs, before) for before in [*self.passed, *self.candidates])]
        )

    def settled(self, version):
        """Keep what fits to what was seen to be served for the newest inputs."""
        self.candidates = [each for each in self.candidates if served(each) == version]
        self.passed = []
        assert self.candidates

    def loadable(self):
        return {served(each) for each in [*self.passed, *self.candidates]}

    def final(self):
        return {served(each) for each in self.candidates}


def served(translation):
    (proxy,) = translation.proxies
    return emit(proxy).version_info


def distinct(translations):
    """Drop candidates that nobody could ever tell apart."""
    found = []
    for each in translations:
        if not any(
            each.memory.proxies == other.memory.proxies
            and each.memory.resources.keys() == other.memory.resources.keys()
            and all(
                good.text == other.memory.resources[ref].text
                for ref, good in each.memory.resources.items()
            )
            for other in found
        ):
            found.append(each)
    return found


def run(folder, *, kills, seed, seconds=None):
    """
    Kill and check.

    Args:
        folder: An empty folder to work in.
        kills: How often.
        seed: What the dice begin with.
        seconds: When to stop even if that was not often enough.

    Returns:
        How often what happened.
    """
    dice = random.Random(seed)
    config = Folder(folder / "config", dice)
    plane = ControlPlane(folder / "config", folder)
    plane.command += ["--state", str(folder / "state"), "--log-level", "debug"]
    model = Model(config.inputs)
    done = Counter()
    end = None if seconds is None else time.monotonic() + seconds
    with plane:
        settle(plane, model)
        while done["kills"] < kills and (end is None or time.monotonic() < end):
            for _ in range(dice.choice([1, 1, 1, 2])):
                done[config.edit()] += 1
                model.edited(config.inputs)
                time.sleep(dice.choice([0, 0, dice.uniform(0, 0.3)]))
            kill(plane, done)
            if dice.random() < 0.2:
                # The next one does not live long either.
                Process.start(plane)
                time.sleep(dice.uniform(0.2, 1.5))
                kill(plane, done)
            plane.start()
            loaded = wait_until(lambda: plane.events("state_loaded"), "the state", deadline=30)
            assert not plane.events("state_damaged"), plane.tail()

            version = loaded[0]["versions"][PROXY]

            assert version in model.loadable(), f"seed {seed}: loaded {version}, a mix"

            if version in model.final():
                done["newest"] += 1
            settle(plane, model)
    return done


def kill(plane, done):
    plane.process.send_signal(signal.SIGKILL)
    plane.process.wait()
    done["kills"] += 1


def settle(plane, model):
    """Wait until the newest inputs are served, and see that this is what the model says."""

    def version():
        names = [event_of(line) for line in plane.log.read_bytes()[plane._read :].splitlines()]
        if "reload_finished" not in names:
            return None
        now = plane.get(f"/api/v1/snapshot/{PROXY}").get("version")
        return now if now in model.final() else None

    model.settled(wait_until(version, f"one of {model.final()}", deadline=20))


def event_of(line):
    try:
        return json.loads(line).get("event")
    except json.JSONDecodeError:  # half a line
        return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        done = run(Path(folder), kills=arguments.kills, seed=arguments.seed)
    print(f"{dict(sorted(done.items()))} in {time.monotonic() - began:.0f} s; nothing was lost")


if __name__ == "__main__":
    main()
