"""Several hosts: root only, for nobody else may make network namespaces.  The header of a test run says so."""

import os

collect_ignore_glob = [] if os.geteuid() == 0 else ["test_*.py"]
