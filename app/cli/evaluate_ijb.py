"""`arcid evaluate ijb`: the template protocol of IJB-B and IJB-C."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli import evaluation_bench as bench
from app.cli.counting import counting
from app.cli.evaluate import Flip, Out, Pack, Replicates, cli
from app.cli.output import prepare_matplotlib
from app.config import Settings
from app.evaluation.bootstrap import REPLICATES, supported_replicates
from app.evaluation.ijb import compare_templates, report_of
from app.evaluation.ijb_faces import TemplateFaces, check_photos, embed_faces
from app.evaluation.ijb_lists import TemplateSet, read_template_set
from app.evaluation.report import Report
from app.vision.imaging.decode import Limits
from app.wiring.batching import threads_of
from app.wiring.evaluation import open_crop_embedding


@cli.command()
def ijb(
    *,
    out: Out,
    images: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of the photos (loose_crop).")],
    lists: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder of the three lists (meta).")],
    by_norm: Annotated[bool, typer.Option("--by-norm", help="Weight each face by the norm of its feature.")] = False,
    by_score: Annotated[bool, typer.Option("--by-score", help="Weight each face by the detector's score.")] = False,
    pack: Pack = None,
    flip: Flip = None,
    bootstrap: Replicates = REPLICATES,
) -> None:
    """Compare templates of several photos (IJB-B, IJB-C): TAR at FAR 1e-6 to 1e-1."""
    faces = read_template_set(lists)
    check_photos(faces, images)
    out.mkdir(parents=True, exist_ok=True)
    settings = bench.settings_with(pack, None, flip=flip)
    prepare_matplotlib(settings.data_dir)
    from app.evaluation import ijb_page, pages  # noqa: PLC0415 - Matplotlib takes a second that no other command should wait

    embedded, setup = _embed(settings, faces, images)
    weighted = embedded.weighted(faces.scores, by_norm=by_norm, by_score=by_score)
    with counting("resamplings", supported_replicates(bootstrap, len(faces.pairs))) as advance:
        result = compare_templates(weighted, faces, replicates=bootstrap, advance=advance)
    content = {
        "kind": "ijb",
        **report_of(result, faces),
        "failures_to_enroll": len(embedded.failures),
        "failed_photos": [{"file": faces.names[index], "reason": code} for index, code in embedded.failures.items()],
        "photos": len(faces.names),
        "setup": {**setup, "weights": {"norm": by_norm, "score": by_score}},
    }
    bench.write(content, ijb_page.page_of(content, result), out, pages.rows(content))


def _embed(settings: Settings, faces: TemplateSet, images: Path) -> tuple[TemplateFaces, Report]:
    """Return the embedded faces and the configuration of the pipeline."""
    embed, setup = open_crop_embedding(settings)
    limits = Limits(settings.limits.photo_bytes, settings.limits.photo_pixels)
    with counting("faces", len(faces.names)) as advance:
        embedded = embed_faces(faces, images, embed, limits=limits, threads=threads_of(settings), advance=advance)
    return embedded, setup
