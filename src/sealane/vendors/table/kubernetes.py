"""Tekton and Argo Workflows. They set no variables: what there is to know the wrapper hands over as SEALANE_…"""

from __future__ import annotations

from sealane.vendors.model import Context, Environ, Event
from sealane.vendors.table.vendor import Vendor


def _handed_over(name: str, title: str, source: str) -> Vendor:
    def marks(environ: Environ) -> bool:
        return environ.get("SEALANE_VENDOR") == name

    def read(_: Environ) -> Context:
        return Context(name, Event.PUSH)

    return Vendor(name, title, source, marks, read)


TEKTON = _handed_over("tekton", "Tekton", "tekton.dev/docs/pipelines/tasks")
ARGO = _handed_over("argo", "Argo Workflows", "argo-workflows.readthedocs.io/en/latest/variables")
