"""Runs of the pipeline, and how far the job is that was started last."""

import msgspec
from fastapi import APIRouter, Response

from crossfade.core.errors import BusyError
from crossfade.live.jobs import Jobs
from crossfade.serve.access import RefusedError
from crossfade.serve.guard import Caller, guarded_routes
from crossfade.serve.replies import json_reply
from crossfade.serve.web.bodies import JobAnswer, JobDescribed, ProgressAnswer, RunBody
from crossfade.serve.web.site import Site
from crossfade.stores.live import Token


def run_routes(site: Site) -> list[APIRouter]:
    """Return the routes; without a home there is none."""
    if site.jobs is None:
        return []
    return [
        _reading(site.jobs, guarded_routes(site.live, site.limits, "read", tag="runs")),
        _administering(site.jobs, guarded_routes(site.live, site.limits, "admin", tag="runs")),
    ]


def job_answer(jobs: Jobs, caller: Token) -> JobAnswer:
    """Return the job that was started last; names of files and messages only with the scope admin."""
    latest = jobs.latest()
    if latest is None:
        return JobAnswer()
    job, moving = latest
    if "admin" not in caller.scopes:
        job = msgspec.structs.replace(job, what="", message=None, made=[])
    progress = ProgressAnswer.model_validate(moving)
    return JobAnswer(
        job=JobDescribed(
            id=job.id,
            sort=job.sort,
            what=job.what,
            state=job.state,
            started=job.started,
            ended=job.ended,
            message=job.message,
            made=job.made,
            progress=progress,
        )
    )


def _reading(jobs: Jobs, routes: APIRouter) -> APIRouter:
    @routes.get("/v1/runs", summary="The job that was started last", response_model=JobAnswer)
    def state(caller: Caller) -> Response:
        """An import or a run of the page: its steps, a bar and the time left while it runs, and how it ended."""
        return json_reply(job_answer(jobs, caller))

    return routes


def _administering(jobs: Jobs, routes: APIRouter) -> APIRouter:
    @routes.post("/v1/runs", summary="Run the pipeline", status_code=202, response_model=JobAnswer)
    def start(body: RunBody, caller: Caller) -> Response:
        """As `crossfade run` does. The release that it makes is served as soon as it is there."""
        try:
            jobs.require_free()
            jobs.start("run", ["--full"] if body.full else [])
        except BusyError as error:
            raise RefusedError(409, str(error)) from error
        return json_reply(job_answer(jobs, caller), status=202)

    @routes.delete("/v1/runs", summary="Stop the job that is going on", status_code=202, response_model=JobAnswer)
    def stop(caller: Caller) -> Response:
        """It ends as by Ctrl+C at a terminal: what was complete is kept. Without one, nothing is done."""
        jobs.stop()
        return json_reply(job_answer(jobs, caller), status=202)

    return routes
