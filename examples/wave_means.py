"""The mean of a wave over ten million points, for eight seeds, on all hosts.

    farpool run examples/wave_means.py                   # this machine only
    FARPOOL_URL=redis://... python examples/wave_means.py   # every host that runs `farpool worker -P examples`
"""

import numpy as np

from farpool import Executor, as_completed


def process_array(seed):  # 80 MB of float64 per task
    rng = np.random.default_rng(seed)
    arr = rng.random(10_000_000)
    return np.mean(np.sin(arr) + np.cos(arr))


def row_means(matrix):
    return matrix.mean(axis=1)


if __name__ == "__main__":
    with Executor() as executor:
        print(list(executor.map(process_array, range(8))))  # in the order of the seeds

        futures = {executor.submit(process_array, seed): seed for seed in range(8)}
        for future in as_completed(futures):  # as they come
            print(f"seed {futures[future]}: {future.result():.15f} from {future.host}, process {future.pid}")

        matrix = np.arange(1_000_000.0).reshape(1000, 1000)
        means = executor.submit(row_means, matrix).result()  # an array there, an array back
        print(f"row means {means[:3]} ..., equal to local ones: {np.array_equal(means, row_means(matrix))}")
