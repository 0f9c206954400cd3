"""What `build` answers with: the image, what can be asked of it, and publishing it."""

from __future__ import annotations

from typing import Annotated

import dagger
from dagger import Doc, function, object_type

from sealane import image
from sealane.publish import Access
from sealane.report import runs
from sealane.stages.changes import Repository
from sealane_ci.errors import told

NAME = "build"


def asked_of(source: dagger.Directory, context: str, git: dagger.Directory | None, path: str, head: str) -> runs.Asked:
    return runs.Asked(source, context, Repository(git, path, head) if git is not None else None)


@object_type
class Build:
    """The image that the project's Dockerfile makes. Nothing is built before something is asked of it."""

    source: dagger.Directory
    context: str
    git: dagger.Directory | None = None
    git_path: str = "."
    git_head: str = "HEAD"

    @property
    def asked(self) -> runs.Asked:
        return asked_of(self.source, self.context, self.git, self.git_path, self.git_head)

    @function(cache="never")
    async def digest(self) -> str:
        """The digest of the image, or of the index of all platforms' images: what publishing it would push."""
        with told():
            return await image.digest(self.source, self.context)

    @function(cache="never")
    async def platforms(self) -> list[str]:
        """The platforms that it is built for."""
        with told():
            return await image.platforms(self.source, self.context)

    @function(cache="never")
    async def tags(self) -> list[str]:
        """The tags that it would get."""
        with told():
            return await image.tags(self.source, self.context)

    @function(cache="never")
    async def tarball(
        self, platform: Annotated[str, Doc("Only the image of this platform, like linux/arm64")] = ""
    ) -> dagger.File:
        """The image as an OCI layout in a tar file, for every platform that it is built for."""
        with told():
            return await image.tarball(self.source, self.context, platform)

    @function(cache="never")
    async def sbom(
        self, cyclonedx: Annotated[bool, Doc("As CycloneDX, not as SPDX")] = False, platform: str = ""
    ) -> dagger.File:
        """What is in it, as JSON."""
        with told():
            return await image.sbom(self.source, self.context, cyclonedx=cyclonedx, platform=platform)

    @function(cache="never")
    async def test(self) -> str:
        """Start it beside its services and ask whether it is healthy; what it said, or failure with its log."""
        with told():
            return await image.test(self.asked)

    @function(cache="never")
    async def publish(
        self,
        address: Annotated[str, Doc("registry/repository, with a tag to move that alone")] = "",
        username: Annotated[str, Doc("The registry's user")] = "",
        secret: Annotated[dagger.Secret | None, Doc("Password or token of that user")] = None,
        key: Annotated[dagger.Secret | None, Doc("A private key (PEM, or cosign's own) that signs")] = None,
        key_password: Annotated[dagger.Secret | None, Doc("The password of the key")] = None,
        kms_credentials: Annotated[dagger.Secret | None, Doc("For `publish.kms`: lines of NAME=value")] = None,
        registry_service: Annotated[dagger.Service | None, Doc("The registry, where only this machine has it")] = None,
    ) -> str:
        """Run the pipeline, and if every gate passed push the image with its SBOMs, provenance, signatures; its address."""
        with told():
            return await image.publish(
                self.asked,
                address=address,
                access=Access(username, secret, registry_service),
                key=key,
                password=key_password,
                credentials=kms_credentials,
            )

    @function(cache="never")
    async def outcome(self) -> str:
        """Ran, failed, or not run; with the reason."""
        with told():
            return (await runs.one(NAME, self.asked)).results[0].verdict

    @function(cache="never")
    async def report(self) -> dagger.Directory:
        """The stage's reports and logs, and run.json."""
        with told():
            return runs.directory(await runs.one(NAME, self.asked))

    @function(cache="never")
    async def summary(self) -> str:
        """What the stage found, as Markdown."""
        with told():
            return runs.summary(await runs.one(NAME, self.asked))

    @function(cache="never")
    async def assert_(self) -> None:
        """Fail if the stage did not pass."""
        with told():
            run = await runs.one(NAME, self.asked)
            runs.must_have_passed(NAME, passed=run.passed, text=runs.summary(run))
