"""Scores a table of queries and passages by dawnrank's HTTP server, with Ray Data. See README.md."""

import argparse
import email.utils
import http.client
import itertools
import json
import logging
import os
import random
import threading
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.fs as pafs
import ray

MARKER = "_SUCCESS"
LONGEST_WAIT = 60.0


class Refused(Exception):
    """The server will not answer this request however often it is sent."""


def wait_before(attempt: int, retry_after: str | None) -> float:
    """Seconds until a request is sent again: what the server says, else 1, 2, 4, … with some jitter."""
    if retry_after:
        try:
            asked = float(retry_after)
        except ValueError:
            try:
                asked = email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time()
            except ValueError:
                asked = 1.0
        return min(LONGEST_WAIT, max(0.0, asked)) + random.random() * 0.2
    return min(LONGEST_WAIT, 2.0**attempt) * (0.5 + random.random() / 2)


class Client:
    """Connections to the server, one for each thread."""

    def __init__(self, url: str, key: str | None, timeout: float, attempts: int):
        self.url = urllib.parse.urlsplit(url)
        self.headers = {"content-type": "application/json"}
        if key:
            self.headers["authorization"] = f"Bearer {key}"
        self.timeout = timeout
        self.attempts = attempts
        self.local = threading.local()

    def post(self, path: str, body: dict) -> dict:
        data = json.dumps(body).encode()
        why = ""
        for attempt in range(self.attempts):
            retry_after = None
            try:
                status, headers, text = self.send(path, data)
                if status == 200:
                    return json.loads(text)
                why = f"{status}: {text[:500].decode(errors='replace')}"
                if status not in (408, 429) and status < 500:
                    raise Refused(f"{path}: {why}")
                retry_after = headers.get("retry-after")
            except (OSError, http.client.HTTPException) as error:
                why = repr(error)
                self.close()
            if attempt + 1 < self.attempts:
                time.sleep(wait_before(attempt, retry_after))
        raise RuntimeError(f"{path}: no answer in {self.attempts} attempts; the last: {why}")

    def send(self, path: str, data: bytes):
        connection = getattr(self.local, "connection", None)
        if connection is None:
            kind = http.client.HTTPSConnection if self.url.scheme == "https" else http.client.HTTPConnection
            connection = kind(self.url.hostname, self.url.port, timeout=self.timeout)
            self.local.connection = connection
        connection.request("POST", self.url.path.rstrip("/") + path, data, self.headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()

    def close(self) -> None:
        connection = getattr(self.local, "connection", None)
        if connection is not None:
            connection.close()
        self.local.connection = None


class Scorer:
    """One actor: scores a batch of rows with a bounded number of requests at a time."""

    def __init__(self, options: dict):
        self.options = options
        self.client = Client(options["url"], options["key"], options["timeout"], options["attempts"])
        self.pool = ThreadPoolExecutor(options["in_flight"])

    def __call__(self, batch: pa.Table) -> pa.Table:
        queries = batch["query"].to_pylist()
        if "passages" in batch.column_names:
            lists = batch["passages"].to_pylist()
            scores = self.score(list(zip(queries, lists)))
            return batch.append_column("scores", pa.array(scores, pa.list_(pa.float64())))
        # Neighbouring pairs of one query are one request.
        rows = zip(queries, batch["passage"].to_pylist())
        groups = [
            (query, [passage for _, passage in group])
            for query, group in itertools.groupby(rows, key=lambda row: row[0])
        ]
        scores = list(itertools.chain.from_iterable(self.score(groups)))
        return batch.append_column("score", pa.array(scores, pa.float64()))

    def score(self, groups: list[tuple[str, list[str]]]) -> list[list[float]]:
        step = self.options["documents"]
        requests = [
            (query, passages[at : at + step], index)
            for index, (query, passages) in enumerate(groups)
            for at in range(0, len(passages), step)
        ]
        scores: list[list[float]] = [[] for _ in groups]
        answers = self.pool.map(lambda request: self.rerank(*request[:2]), requests)
        for (_, _, index), answer in zip(requests, answers):
            scores[index] += answer
        return scores

    def rerank(self, query: str, passages: list[str]) -> list[float]:
        body = {"model": self.options["model"], "query": query, "documents": passages}
        results = self.client.post("/v2/rerank", body)["results"]
        scores = {result["index"]: result["relevance_score"] for result in results}
        return [scores[index] for index in range(len(passages))]


def first_model(url: str, key: str | None) -> str:
    """The name of the server's first model."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    request = urllib.request.Request(f"{url.rstrip('/')}/v1/models", headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)["data"][0]["id"]


def file_system(path: str) -> tuple[pafs.FileSystem, str]:
    return pafs.FileSystem.from_uri(path if "://" in path else f"file://{os.path.abspath(path)}")


def input_files(fs: pafs.FileSystem, folder: str) -> list[str]:
    info = fs.get_file_info(folder)
    if info.type == pafs.FileType.File:
        return [folder]
    found = fs.get_file_info(pafs.FileSelector(folder, recursive=True))
    endings = (".parquet", ".jsonl", ".jsonl.gz", ".json", ".json.gz")
    files = sorted(one.path for one in found if one.is_file and one.path.endswith(endings))
    if not files:
        raise SystemExit(f"{folder}: has no .parquet and no .jsonl file")
    return files


def score_part(source: str, target: str, fs_in, fs_out, options: argparse.Namespace) -> None:
    """Scores one file into one folder; the marker is written last."""
    if fs_out.get_file_info(target).type != pafs.FileType.NotFound:
        fs_out.delete_dir(target)
    fs_out.create_dir(target)
    read = ray.data.read_parquet if source.endswith(".parquet") else ray.data.read_json
    settings = {
        "url": options.url,
        "key": options.key,
        "model": options.model,
        "timeout": options.timeout,
        "attempts": options.attempts,
        "in_flight": options.in_flight,
        "documents": options.documents,
    }
    scored = read([source], filesystem=fs_in).map_batches(
        Scorer,
        fn_constructor_kwargs={"options": settings},
        batch_format="pyarrow",
        batch_size=options.batch_rows,
        compute=ray.data.ActorPoolStrategy(size=options.actors),
        # An actor waits for the network most of the time.
        num_cpus=0.1,
    )
    if options.format == "parquet":
        scored.write_parquet(target, filesystem=fs_out)
    else:
        # The most that pandas writes; Parquet keeps all digits.
        digits = {"double_precision": 15}
        scored.write_json(target, filesystem=fs_out, pandas_json_args_fn=lambda: digits)
    with fs_out.open_output_stream(f"{target}/{MARKER}") as marker:
        marker.write(b"")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="of dawnrank serve, or of a balancer before several")
    parser.add_argument("--input", required=True, help="folder of Parquet or JSON Lines files")
    parser.add_argument("--output", required=True, help="folder of the parts")
    parser.add_argument("--model", help="the model's name at the server (default: its first)")
    parser.add_argument("--format", choices=["parquet", "jsonl"], default="parquet")
    parser.add_argument("--actors", type=int, default=4)
    parser.add_argument("--in-flight", type=int, default=16, help="requests at a time of each actor")
    parser.add_argument("--batch-rows", type=int, default=1024, help="rows that an actor takes at a time")
    parser.add_argument("--documents", type=int, default=256, help="passages of a request")
    parser.add_argument("--attempts", type=int, default=10)
    parser.add_argument("--timeout", type=float, default=120, help="seconds of a request")
    options = parser.parse_args()
    options.key = os.environ.get("DAWNRANK_API_KEY")

    fs_in, folder = file_system(options.input)
    fs_out, output = file_system(options.output)
    files = input_files(fs_in, folder)
    root = folder if files != [folder] else os.path.dirname(folder)
    parts = [(one, f"{output}/{os.path.relpath(one, root).replace('/', '__')}") for one in files]
    missing = [
        (source, target)
        for source, target in parts
        if fs_out.get_file_info(f"{target}/{MARKER}").type == pafs.FileType.NotFound
    ]
    print(f"{len(parts)} parts, {len(parts) - len(missing)} of them done", flush=True)
    if not missing:
        return
    options.model = options.model or first_model(options.url, options.key)
    ray.init(include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    begun = time.monotonic()
    for done, (source, target) in enumerate(missing, 1):
        score_part(source, target, fs_in, fs_out, options)
        each = (time.monotonic() - begun) / done
        left = each * (len(missing) - done)
        print(f"{os.path.basename(source)} done, {each:.1f} s a part, {left:.0f} s left", flush=True)


if __name__ == "__main__":
    main()
