"""What is fitted, and how good it was when it was last measured."""

import msgspec
from fastapi import APIRouter, Request, Response

from crossfade.serve.guard import guarded_routes
from crossfade.serve.replies import json_reply, kept_reply
from crossfade.serve.routes import problems
from crossfade.serve.web.bodies import EvaluationAnswer, ModelsAnswer
from crossfade.serve.web.site import Site
from crossfade.surfaces.fitted import models_of


def system_routes(site: Site) -> list[APIRouter]:
    """Return the routes."""
    routes = [_models(site, APIRouter(tags=["system"], responses=problems(503)))]
    if site.home is not None:
        routes.append(_evaluation(site, guarded_routes(site.live, site.limits, "read", tag="system")))
    return routes


def _models(site: Site, routes: APIRouter) -> APIRouter:
    @routes.get("/v1/models", summary="The models of the release", response_model=ModelsAnswer)
    def models(request: Request) -> Response:
        """On which kinds each is fitted, what it counts in the blend, and what it adds."""
        with site.active.reading() as opened:
            answer = ModelsAnswer(release=opened.version, models=models_of(opened))
        return kept_reply(request, answer, answer.release, personal=False, max_age=site.settings.max_age)

    return routes


def _evaluation(site: Site, routes: APIRouter) -> APIRouter:
    @routes.get("/v1/evaluation", summary="The last evaluation", response_model=EvaluationAnswer)
    def evaluation() -> Response:
        """`crossfade evaluate` keeps its figures in the home; before the first, nothing is told."""
        try:
            told = msgspec.json.decode(site.home.evaluation.read_bytes() if site.home else b"")
            finished = int(told.pop("finished"))
        except (OSError, ValueError, LookupError, AttributeError, TypeError):
            return json_reply(EvaluationAnswer())
        return json_reply(EvaluationAnswer(finished=finished, figures=told))

    return routes
