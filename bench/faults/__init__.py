"""The same faults done to several systems, judged by what tasks wrote to a file and what the client saw.

python -m bench.faults install [SYSTEM ...]
python -m bench.faults [--rounds N] [--seed S] [--only SYSTEM,...] [--faults NAME,...] [--table FILE]
"""
