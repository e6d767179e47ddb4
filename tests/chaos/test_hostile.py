"""A few thousand of what `make fuzz` writes by the hundred thousand."""

from hostile import fuzz


def test_each_hostile_record_is_accounted_for_and_good_tasks_do_not_notice(server, tmp_path, seed):
    report = fuzz(server.url, tmp_path, seed, 2000)
    assert not report.complaints, report
    assert report.good >= 40
