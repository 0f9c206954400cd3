"""The CI vendors, one file each."""

from sealane.vendors.table import (
    azure,
    bitbucket,
    buildkite,
    circleci,
    codebuild,
    github,
    gitlab,
    jenkins,
    kubernetes,
    teamcity,
    woodpecker,
)
from sealane.vendors.table.vendor import Vendor

__all__ = ["VENDORS", "Vendor"]

VENDORS: dict[str, Vendor] = {
    vendor.name: vendor
    for vendor in (
        github.VENDOR,
        gitlab.VENDOR,
        circleci.VENDOR,
        jenkins.VENDOR,
        azure.VENDOR,
        bitbucket.VENDOR,
        buildkite.VENDOR,
        codebuild.VENDOR,
        teamcity.VENDOR,
        woodpecker.VENDOR,
        kubernetes.TEKTON,
        kubernetes.ARGO,
    )
}
