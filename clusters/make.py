"""Renders the cluster files from their templates.

python -m clusters.make files [--check]            the files of this folder and cluster.yaml
python -m clusters.make onprem --head 10.0.0.2 --worker 10.0.0.3 --user me > mine.yaml
python -m clusters.make aws --region eu-north-1 --workers 4 > mine.yaml
python -m clusters.make kuberay --image REGISTRY/sweetspot:VERSION > mine.yaml
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clusters.sites import (
    HEAD,
    OBJECT_STORE_MIB,
    TRIAL_FUNCTION_MIB,
    UV,
    WORKERS,
    Aws,
    HeadMemory,
    KubeRay,
    OnPrem,
    ray_version,
)
from spaces.cli import exit_on_input_error
from trainable.files.atomic import write_text

ROOT = Path(__file__).parent.parent
TEMPLATES = Path(__file__).parent / "templates"
SYNCED = (
    "pyproject.toml", "constraints.txt", "Makefile", "README.md", "LICENSE",
    "search", "results", "trainable", "spaces", "demo", "clusters",
)  # fmt: skip
"""Entries of the checkout that are copied to every node: what installation and a search need, and nothing else."""
SHARED_VALUES = {
    "synced": SYNCED,
    "uv": UV,
    "object_store_mib": OBJECT_STORE_MIB,
    "trial_mib": TRIAL_FUNCTION_MIB,
    "ray": ray_version(),
}
app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True)


def aws_file(site: Aws, path: str = "FILE") -> str:
    memory = HeadMemory(site.workers)
    return _render("aws.yaml.j2", {"site": site, "head": HEAD, "workers": WORKERS, "memory": memory}, "aws", path)


def onprem_file(site: OnPrem, path: str = "FILE") -> str:
    return _render("onprem.yaml.j2", {"site": site}, "onprem", path)


def kuberay_file(site: KubeRay, path: str = "FILE") -> str:
    memory = HeadMemory(site.workers * len(site.kinds))
    values = {"site": site, "memory": memory, "head_gib": math.ceil(1.25 * memory.total)}
    return _render("kuberay.yaml.j2", values, "kuberay", path)


def dockerfile(path: str) -> str:
    return _render("Dockerfile.j2", {}, "", path)


def committed_files() -> dict[str, str]:
    """Text by path from the root, for the files that are committed to the repository."""
    return {
        "cluster.yaml": aws_file(Aws(), "cluster.yaml"),
        "clusters/onprem.yaml": onprem_file(OnPrem(), "clusters/onprem.yaml"),
        "clusters/kuberay.yaml": kuberay_file(KubeRay(), "clusters/kuberay.yaml"),
        "clusters/Dockerfile": dockerfile("clusters/Dockerfile"),
    }


def _render(template: str, values: Mapping[str, Any], name: str, path: str) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(template).render(**SHARED_VALUES, **values, name=name, path=path)


@app.command()
def files(check: Annotated[bool, typer.Option("--check", help="write nothing; exit 1 if one differs")] = False):
    """Write the files that are committed to the repository."""
    rendered = committed_files()
    differing = [path for path, text in rendered.items() if not _has_text(ROOT / path, text)]
    if check and differing:
        typer.echo(f"differ from their templates: {', '.join(differing)}; run python -m clusters.make files", err=True)
        raise typer.Exit(1)
    for path in differing:
        write_text(ROOT / path, rendered[path])


def _has_text(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


@app.command()
def aws(
    region: Annotated[str, typer.Option(help="region of Amazon EC2")] = Aws.region,
    workers: Annotated[int, typer.Option(min=1, help="most GPU machines")] = Aws.workers,
) -> None:
    """Print a file for Amazon EC2, with spot workers."""
    with exit_on_input_error():
        typer.echo(aws_file(Aws(region, workers)), nl=False)


@app.command()
def onprem(
    head: Annotated[str, typer.Option(help="private address of the head")],
    worker: Annotated[list[str], typer.Option(help="private address of a worker; may be repeated")],
    user: Annotated[str, typer.Option(help="user that logs in on every node")] = OnPrem.user,
    key: Annotated[str, typer.Option(help="path of the private key, on the machine that runs `ray up`")] = OnPrem.key,
) -> None:
    """Print a file for machines of your own, over SSH."""
    with exit_on_input_error():
        typer.echo(onprem_file(OnPrem(head, tuple(worker), user, key)), nl=False)


@app.command()
def kuberay(
    image: Annotated[
        str, typer.Option(help="image built from clusters/Dockerfile, in a registry that the pods can reach")
    ],
    workers: Annotated[int, typer.Option(min=1, help="most pods for each kind of GPU")] = KubeRay.workers,
) -> None:
    """Print a file for a Kubernetes cluster with the KubeRay operator."""
    with exit_on_input_error():
        typer.echo(kuberay_file(KubeRay(image, workers)), nl=False)


if __name__ == "__main__":
    app()
