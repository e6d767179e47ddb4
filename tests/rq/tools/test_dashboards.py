"""The pages of rq-dashboard and of django-rq: with our daemon they are what they are with RQ's own worker."""

import json
import os
import subprocess
import sys

import pytest
from daemons import SUPPORT, wait_for
from flask import Flask
from rq_dashboard import default_settings, web

REGISTRIES = ("queued", "started", "finished", "failed", "deferred", "scheduled", "canceled")


@pytest.fixture
def dashboard(scene):
    app = Flask(__name__)
    app.config.from_object(default_settings)
    app.config["RQ_DASHBOARD_REDIS_URL"] = scene.url
    web.setup_rq_connection(app)
    app.register_blueprint(web.blueprint)
    app.testing = False
    return app.test_client()


def test_rq_dashboard_shows_everything(scene, dashboard):
    pages = [
        "/",
        "/0/view/workers",
        "/0/view/jobs",
        "/0/data/queues.json",
        "/0/data/workers.json",
        "/0/view/job/finished",
    ]
    pages += [f"/0/data/jobs/default/{registry}/10/asc/1.json" for registry in REGISTRIES]
    pages += [f"/0/data/job/{job}.json" for job in ("finished", "failed", "started", "queued", "scheduled")]
    assert {page: dashboard.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)
    (worker,) = dashboard.get("/0/data/workers.json").json["workers"]
    assert (worker["name"], worker["state"].lower()) == (scene.worker, "busy")
    assert worker["current_job"]["job_id"] == "started"
    assert dashboard.get("/0/data/job/finished.json").json["result"] == "quick"


def test_rq_dashboard_fails_in_the_same_place_with_both(dashboard):
    """The page of a job with dependencies: rq-dashboard 0.9 decodes what is text since RQ 3."""
    assert dashboard.get("/0/data/job/deferred.json").status_code == 500


def test_rq_dashboard_requeues_deletes_and_empties(scene, dashboard):
    assert dashboard.post("/job/failed/requeue").status_code == 200
    assert scene.queue.job_ids == ["queued", "failed"]
    assert dashboard.post("/job/scheduled/delete").status_code == 200
    assert dashboard.post("/queue/default/queued/empty").status_code == 200
    assert scene.queue.job_ids == []


def django(scene, *words: str) -> str:
    environ = os.environ | {"SHOP_REDIS_URL": scene.url, "DJANGO_SETTINGS_MODULE": "django_shop.settings"}
    command = [sys.executable, "-m", *words]
    run = subprocess.run(command, cwd=SUPPORT, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_django_rq_shows_everything(scene):
    pages = ["/rq/", "/rq/stats.json", "/rq/queues/0/", "/rq/workers/0/", f"/rq/workers/0/rq:worker:{scene.worker}/"]
    pages += [f"/rq/queues/0/{registry}/" for registry in ("finished", "failed", "scheduled", "started", "deferred")]
    pages += [f"/rq/queues/0/{job}/" for job in ("finished", "failed", "started", "deferred", "scheduled", "queued")]
    assert json.loads(django(scene, "django_shop.pages", *pages)) == dict.fromkeys(pages, 200)


def test_django_rq_requeues_and_stops(scene):
    pages = ["POST /rq/queues/0/failed/requeue/", "POST /rq/queues/0/started/stop/"]
    assert json.loads(django(scene, "django_shop.pages", *pages)) == dict.fromkeys(pages, 302)
    wait_for(lambda: scene.jobs["started"].is_stopped)


def test_djangos_own_command_runs_jobs_that_need_django(server, client):
    from rq import Queue

    job = Queue(connection=client).enqueue("django_shop.work.count_models")
    scene = type("Scene", (), {"url": server.url})
    django(scene, "django", "rqworker", "--worker-class", "farpool_worker.PoolWorker", "--burst", "default")
    assert job.return_value() > 3
