"""`virnucpro models pull`: bring published files here, verified, and make a bundle of them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from virnucpro_tasks.cli.interrupted import saying_how_to_go_on
from virnucpro_tasks.cli.messages import print_json, say
from virnucpro_tasks.cli.options import PathType, json_option, settings_of
from virnucpro_tasks.errors import OutputError, printable
from virnucpro_tasks.models.manifest import Manifest, Recipe, read_manifest
from virnucpro_tasks.models.pull import Audience, Pulled, Wishes, default_folder, pull
from virnucpro_tasks.system.extras import require_extra

_FOLDER = PathType(path_type=Path)


@click.command("pull")
@click.argument("name", required=False)
@click.option(
    "--output",
    type=_FOLDER,
    help="Folder of the files; default: setting 'downloads', else virnucpro/downloads in XDG_CACHE_HOME.",
)
@click.option("--from", "source", type=_FOLDER, help="Copy from this folder and fetch nothing; verified as well.")
@click.option("--mirror", metavar="URL", help="Fetch URL/MODEL/FILE instead of the published addresses.")
@click.option("--manifest", "manifest_file", type=_FOLDER, help="Another manifest, TOML or JSON (docs/models.md).")
@click.option("--convert", "bundle", type=_FOLDER, help="Then make this bundle folder of the files; needs torch.")
@click.option("--force", is_flag=True, help="Replace a file that is there and is another one.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    *,
    name: str | None,
    output: Path | None,
    source: Path | None,
    mirror: str | None,
    manifest_file: Path | None,
    bundle: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Bring the published files of NAME here, verify them, and say how to make a bundle of them.

    NAME is a bundle or one model; without it, all names are listed. A transfer that was cut goes on where it stopped
    when the command is repeated. Proxies are taken from HTTPS_PROXY and NO_PROXY.
    """
    if source is not None and mirror is not None:
        raise click.UsageError("--from and --mirror exclude each other")
    manifest = read_manifest(manifest_file)
    if name is None:
        _list(manifest, as_json=as_json)
        return
    models = manifest.models_of(name)
    recipe = manifest.bundles.get(name)
    if bundle is not None:
        _check_conversion(bundle, recipe)
    if output is None:
        stated = settings_of(context).downloads
        output = Path(stated) if stated else default_folder()
    _say_licences(manifest, models)
    pulled = _shown_pull(manifest, models, output, Wishes(mirror=mirror, source=source, replace=force))
    facts: dict[str, Any] = {"name": name, "files": [_facts(each) for each in pulled]}
    if bundle is not None and recipe is not None:
        facts["bundle"] = _convert(manifest, recipe, output, bundle)
    else:
        arguments = _conversion(name, manifest, recipe, models, output)
        facts["convert"] = arguments
        say(f"{'Next' if recipe is not None else 'For virnucpro models convert'}: {shlex.join(arguments)}")
    if as_json:
        print_json(facts)


def _shown_pull(manifest: Manifest, models: list[str], output: Path, wishes: Wishes) -> list[Pulled]:
    # Imported here: the other commands do without rich.
    from virnucpro_tasks.cli.pull_display import Display

    display = Display()
    audience = Audience(begin=display.begin, say=display.say)
    with saying_how_to_go_on("what was fetched is kept: the same command goes on from there"), display.shown():
        pulled = pull(manifest, models, output=output, wishes=wishes, audience=audience)
    for each in pulled:
        found = "SHA-256 as published"
        if not each.is_published:
            found = f"SHA-256 {each.sha256}; the published one is not known to us: compare it with somebody else's"
        say(f"{each.path}: {each.way}, {each.bytes:,} bytes, {found}")
    return pulled


def _say_licences(manifest: Manifest, models: Sequence[str]) -> None:
    for model in models:
        published = manifest.models[model]
        say(f"{model}: {published.title}; licence: {published.licence} ({published.licence_from}); {published.page}")


def _check_conversion(bundle: Path, recipe: Recipe | None) -> None:
    """Raise before anything is fetched what would keep the conversion from being made."""
    if recipe is None:
        raise click.UsageError("--convert needs the name of a bundle; one model is given to 'models convert'")
    if bundle.exists() or bundle.is_symlink():
        raise OutputError(f"{bundle} exists already", hint="name a new folder")
    require_extra("worker")


def _convert(manifest: Manifest, recipe: Recipe, output: Path, bundle: Path) -> dict[str, Any]:
    from virnucpro_tasks.models.convert import convert_bundle

    sources = [manifest.models[model].source(output / model) for model in recipe.models]
    say("converting: this reads all weights once")
    with saying_how_to_go_on("nothing is left of the new bundle, all that was fetched is kept; repeat the command"):
        made = convert_bundle(
            name=printable(bundle.absolute().name),
            dnabert=sources[0],
            esm2=sources[1],
            head=sources[2],
            output=bundle,
            chunk_length=recipe.chunk_length,
            precision="fp16",
            licences=_licences(manifest, recipe.models),
        )
    say(f"{bundle}: bundle {made.description.label}, digest {made.digest}")
    return {"path": str(bundle), "digest": made.digest}


def _conversion(name: str, manifest: Manifest, recipe: Recipe | None, models: Sequence[str], output: Path) -> list[str]:
    """The arguments of the 'models convert' that uses what was pulled; of a single model, its option alone."""
    arguments = ["virnucpro", "models", "convert", name] if recipe is not None else []
    for model in models:
        published = manifest.models[model]
        option = {"dnabert-s": "--dnabert", "esm2": "--esm2", "head": "--head"}[published.part]
        arguments += [option, str(published.source(output / model))]
    if recipe is not None:
        arguments += ["--chunk-length", str(recipe.chunk_length)]
    for part, licence in _licences(manifest, models).items():
        arguments += ["--licence", f"{part}={licence}"]
    return arguments


def _licences(manifest: Manifest, models: Sequence[str]) -> dict[str, str]:
    return {manifest.models[model].part: manifest.models[model].licence for model in models}


def _facts(pulled: Pulled) -> dict[str, Any]:
    return {
        "model": pulled.model,
        "path": str(pulled.path),
        "bytes": pulled.bytes,
        "sha256": pulled.sha256,
        "as_published": pulled.is_published,
        "way": str(pulled.way),
    }


def _list(manifest: Manifest, *, as_json: bool) -> None:
    entries: list[dict[str, Any]] = []
    for name in [*manifest.bundles, *manifest.models]:
        models = manifest.models_of(name)
        files = [file for model in models for file in manifest.models[model].files]
        entries.append(
            {
                "name": name,
                "models": models if name in manifest.bundles else [],
                "bytes": sum(file.bytes or 0 for file in files),
                "sizes_known": all(file.bytes is not None for file in files),
                "digests_known": all(file.sha256 is not None for file in files),
                "licences": sorted({manifest.models[model].licence for model in models}),
            }
        )
    if as_json:
        print_json(entries)
        return
    width = max((len(entry["name"]) for entry in entries), default=0)
    for entry in entries:
        content = " + ".join(entry["models"]) or f"licence {', '.join(entry['licences'])}{_digest_note(entry)}"
        click.echo(f"{entry['name']:<{width}}  {_size(entry):>13}  {content}")


def _size(entry: dict[str, Any]) -> str:
    megabytes = f"{entry['bytes'] / 1e6:,.1f} MB"
    if entry["sizes_known"]:
        return megabytes
    return f"> {megabytes}" if entry["bytes"] else "size unknown"


def _digest_note(entry: dict[str, Any]) -> str:
    return "" if entry["digests_known"] else "; SHA-256 not known to us"
