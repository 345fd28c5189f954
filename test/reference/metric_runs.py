"""Made-up judgements and runs, each trying one thing that metrics get wrong."""

import random

DOCUMENTS = [f"d{i}" for i in range(400)]
ODD_IDS = [f"doc{i}" for i in range(30)]
ODD_IDS += ["Doc1", "DOC2", "a", "B", "é1", "z-1", "文档1", "_x", "10", "9", "doc-10"]


def random_run(rng, documents, count, digits=None):
    """[[document, score], ...] of `count` documents, in no order."""
    picked = rng.sample(documents, min(count, len(documents)))
    rows = [[document, rng.uniform(-8.0, 8.0)] for document in picked]
    if digits is not None:
        rows = [[document, round(score, digits)] for document, score in rows]
    return rows


def graded(rng):
    """Grades 0 to 3, 100 documents a query, no ties."""
    qrels, run = {}, {}
    for i in range(12):
        judged = rng.sample(DOCUMENTS[:120], 25)
        qrels[f"q{i}"] = {d: rng.choice([0, 0, 1, 1, 2, 3]) for d in judged}
        qrels[f"q{i}"][judged[0]] = 3
        run[f"q{i}"] = random_run(rng, DOCUMENTS[:120], 100)
    return qrels, run


def ties(rng):
    """Few different scores, one query with all equal; ids in mixed case, digits, other scripts."""
    qrels, run = {}, {}
    for i in range(10):
        qrels[f"t{i}"] = {d: rng.choice([0, 1, 1, 2]) for d in rng.sample(ODD_IDS, 8)}
        run[f"t{i}"] = [[d, float(rng.randint(0, 3))] for d in rng.sample(ODD_IDS, len(ODD_IDS))]
    run["t0"] = [[d, 1.0] for d in ODD_IDS]
    return qrels, run


def missing_documents(rng):
    """Relevant documents not retrieved, unjudged ones retrieved, lists shorter than the cuts."""
    qrels, run = {}, {}
    for i in range(10):
        query = f"m{i}"
        qrels[query] = {d: rng.choice([1, 1, 2]) for d in rng.sample(DOCUMENTS, 12)}
        pool = DOCUMENTS + [f"unjudged{j}" for j in range(300)]
        run[query] = random_run(rng, pool, rng.choice([1, 3, 7, 9, 40]))
        for document in rng.sample(sorted(qrels[query]), rng.randint(0, 4)):
            if document not in [found for found, _ in run[query]]:
                run[query].append([document, rng.uniform(-8, 8)])
    return qrels, run


def negative_and_zero(rng):
    """Grades from -2 to 3."""
    qrels, run = {}, {}
    grades = [-2, -1, -1, 0, 0, 1, 2, 3]
    for i in range(10):
        qrels[f"n{i}"] = {d: rng.choice(grades) for d in rng.sample(DOCUMENTS[:60], 20)}
        run[f"n{i}"] = random_run(rng, DOCUMENTS[:60], 50)
    return qrels, run


def no_relevant(rng):
    """Every second query has no relevant document: only zeros, or zeros and negatives."""
    qrels, run = {}, {}
    for i in range(8):
        grades = [0] if i % 2 else [0, 1]
        qrels[f"z{i}"] = {d: rng.choice(grades) for d in rng.sample(DOCUMENTS[:40], 6)}
        run[f"z{i}"] = random_run(rng, DOCUMENTS[:40], 20)
    qrels["z-neg"] = {"d1": -1, "d2": 0}
    run["z-neg"] = [["d1", 2.0], ["d2", 1.0], ["d3", 0.5]]
    return qrels, run


def missing_queries(rng):
    """Queries that are judged but not in the run, and the other way round."""
    qrels, run = {}, {}
    for i in range(10):
        qrels[f"x{i}"] = dict.fromkeys(rng.sample(DOCUMENTS[:30], 3), 1)
        if i % 3:
            run[f"x{i}"] = random_run(rng, DOCUMENTS[:30], 15)
    run["only-in-run"] = random_run(rng, DOCUMENTS[:30], 15)
    return qrels, run


def deep(rng):
    """More than 100 documents a query, up to 150 relevant ones."""
    qrels, run = {}, {}
    for i in range(8):
        relevant = rng.sample(DOCUMENTS, rng.choice([1, 5, 30, 150]))
        qrels[f"l{i}"] = {d: rng.choice([1, 2]) for d in relevant}
        run[f"l{i}"] = random_run(rng, DOCUMENTS, rng.choice([101, 180, 250, 400]))
    return qrels, run


def float32(rng):
    """Scores that differ in 64-bit but not in 32-bit floats; very large, very small and negative ones."""
    qrels, run = {}, {}
    for i in range(6):
        qrels[f"f{i}"] = {d: rng.choice([0, 1, 2]) for d in rng.sample(DOCUMENTS[:30], 10)}
        base = rng.choice([1.0, 0.1, 1000.0, -3.0])
        found = rng.sample(DOCUMENTS[:30], 20)
        run[f"f{i}"] = [[d, base + rng.randint(0, 3) * 1e-9] for d in found]
    qrels["big"] = {"d1": 1, "d2": 2, "d3": 0}
    run["big"] = [["d3", 1e30], ["d1", -1e30], ["d2", 1e-30], ["d4", 0.0], ["d5", -0.0]]
    qrels["int"] = {"d1": 1, "d2": 1}
    run["int"] = [["d3", 16777217.0], ["d1", 16777216.0], ["d2", 16777218.0]]
    return qrels, run


def single_relevant(rng):
    """One relevant document a query, as in sets made from SQuAD."""
    qrels, run = {}, {}
    for i in range(20):
        query, gold = f"s{i}", rng.choice(DOCUMENTS[:200])
        qrels[query] = {gold: 1}
        run[query] = random_run(rng, DOCUMENTS[:200], 100, digits=4)
        if rng.random() < 0.6:
            run[query] = [row for row in run[query] if row[0] != gold]
            run[query].append([gold, rng.uniform(4, 9)])
    return qrels, run


def by_hand(_rng):
    """Three tiny queries to check with pencil and paper: a first hit at rank 1, 2 and 10."""
    qrels = {"a": {"d1": 1, "d2": 3}, "b": {"d1": 1}, "c": {"d9": 2, "d8": 1, "d7": 1}}
    ranked = ["d1", "d2", "d3", "d4", "d5", "d6", "x", "y", "z", "d9", "d8"]
    scores = [9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.5, 1.0, 0.5]
    run = {
        "a": [["d2", 1.0]],
        "b": [["d2", 5.0], ["d1", 4.0]],
        "c": [[d, score] for d, score in zip(ranked, scores, strict=True)],
    }
    return qrels, run


MAKERS = [
    graded,
    ties,
    missing_documents,
    negative_and_zero,
    no_relevant,
    missing_queries,
    deep,
    float32,
    single_relevant,
    by_hand,
]


def metric_runs(seed):
    """Every (name, description, qrels, run): grades by query and document, scored documents by query."""
    rng = random.Random(seed)
    for maker in MAKERS:
        yield maker.__name__.replace("_", "-"), maker.__doc__, *maker(rng)
