"""Takes random steps on a store until its time is over, beside other processes: see test_many.py."""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time

from tabagent_model_cache import CachedFile, ModelCache, ModelCacheError

EXPECTED = ("ERR_REPO_NOT_FOUND", "ERR_FILE_NOT_FOUND", "ERR_IN_USE")
HELD = 4


class Walk:
    """One process's steps."""

    def __init__(self, cache: ModelCache, seed: int, digests: dict[str, str]) -> None:
        self.cache = cache
        self.random = random.Random(seed)
        self.digests = digests
        self.held: list[CachedFile] = []
        self.reads = 0

    def step(self) -> None:
        """Do anything."""
        repo, path = self.name()
        quant = self.random.choice(["q4", "fp16"])
        choices = [
            lambda: self.cache.scan_repo(repo),
            lambda: self.cache.download_file(repo, path),
            lambda: self.cache.download_quant(repo, quant),
            self.read,
            self.read,
            self.let_go,
            lambda: self.cache.remove_file(repo, path),
            lambda: self.cache.remove_quant(repo, quant),
            lambda: self.cache.remove_repo(repo),
            lambda: self.cache.prune(max_size=10_000_000),
            lambda: self.cache.verify(),
            lambda: self.cache.stats(),
        ]
        try:
            self.random.choice(choices)()
        except ModelCacheError as error:
            if error.code not in EXPECTED:
                raise

    def name(self) -> tuple[str, str]:
        """Any file, as repository and path."""
        owner, repo, path = self.random.choice(list(self.digests)).split("/", 2)
        return f"{owner}/{repo}", path

    def read(self) -> None:
        """Read a file, and keep some."""
        file = self.cache.get_file(*self.name())
        if file is None:
            return
        self.check(file)
        if len(self.held) < HELD:
            self.held.append(file)
        else:
            file.close()

    def let_go(self) -> None:
        """Look again at what was kept."""
        while self.held:
            file = self.held.pop()
            self.check(file)
            file.close()

    def check(self, file: CachedFile) -> None:
        """Compare a file with what it must be."""
        digest = hashlib.sha256(file).hexdigest()
        assert digest == self.digests[f"{file.repo}/{file.path}"], f"{file.path} has other bytes"
        self.reads += 1


def main() -> None:
    """Walk."""
    path, endpoint, seed, seconds, known = sys.argv[1:]
    with ModelCache(path, endpoint=endpoint) as cache:
        walk = Walk(cache, int(seed), json.loads(known))
        end, steps = time.monotonic() + float(seconds), 0
        while time.monotonic() < end or walk.reads == 0:
            walk.step()
            steps += 1
        walk.let_go()
    sys.stdout.write(json.dumps({"steps": steps, "reads": walk.reads}))


main()
