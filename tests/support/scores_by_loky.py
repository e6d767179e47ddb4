"""What scikit-learn's own searches give on joblib's processes: the numbers, as JSON."""

import json
import sys

import joblib_tasks

if __name__ == "__main__":
    from joblib import parallel_config

    with parallel_config("loky", n_jobs=2):
        json.dump(joblib_tasks.numbers_of_searches(), sys.stdout)
