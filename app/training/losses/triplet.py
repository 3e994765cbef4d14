"""Triplet loss for refinement: it compares the faces of a batch and has no class weights."""

import torch
from torch import Tensor

from app.training.losses.base import Loss, without_autocast
from app.training.losses.cosine_head import normalise


class Triplet(Loss):
    """Mean of max(0, |a - p|^2 - |a - n|^2 + alpha) over unit vectors, with semi-hard negatives of the same batch.

    Schroff, Kalenichenko, Philbin: "FaceNet: A Unified Embedding for Face Recognition and Clustering", 2015. Between
    unit vectors, |a - b|^2 = 2 - 2 similarity. Each pair of faces of one person is an anchor and a positive. Its
    negative is the semi-hard one most similar to the anchor: less similar than the positive, but by less than
    alpha / 2. Pairs without a semi-hard negative are skipped; a batch without any triplet has the loss 0. A batch needs
    several people with several faces each. Under DistributedDataParallel, each process uses only its own batch.
    """

    has_classes = False

    def __init__(self, *, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss of the batch's semi-hard triplets."""
        with without_autocast(features):
            units = normalise(features.float())
            similarities = units @ units.T
            flat = similarities.flatten()
            anchors, positives, negatives = semi_hard(similarities.detach(), labels, self.margin)
            # index_select accumulates gradients in a deterministic order; indexing with tensors does not.
            rows = anchors * len(labels)
            worse = flat.index_select(0, rows + negatives) - flat.index_select(0, rows + positives)
            return (self.margin + 2 * worse).clamp(min=0).sum() / max(len(anchors), 1)


def semi_hard(similarities: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the batch indices (t,) of anchors, positives and negatives, given similarities (n, n) and labels (n,)."""
    is_same = labels[:, None] == labels[None, :]
    is_other = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    anchors, positives = torch.nonzero(is_same & is_other, as_tuple=True)
    to_positive = similarities[anchors, positives][:, None]
    to_others = similarities[anchors]
    is_semi_hard = ~is_same[anchors] & (to_others < to_positive) & (to_others > to_positive - margin / 2)
    has_negative = is_semi_hard.any(dim=1)
    negatives = torch.where(is_semi_hard, to_others, -torch.inf).argmax(dim=1)
    return anchors[has_negative], positives[has_negative], negatives[has_negative]
