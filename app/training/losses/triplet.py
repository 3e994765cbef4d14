"""Triplets for refinement: no class weights, only faces of the batch against each other."""

import torch
from torch import Tensor

from app.training.losses.base import Loss, without_autocast
from app.training.losses.cosine_head import unit


class Triplet(Loss):
    """Mean of max(0, |a - p|^2 - |a - n|^2 + alpha) over unit vectors, with semi-hard negatives of the same batch.

    Schroff, Kalenichenko, Philbin: "FaceNet: A Unified Embedding for Face Recognition and Clustering", 2015. Between
    unit vectors |a - b|^2 = 2 - 2 similarity. Every two faces of a person are an anchor and a positive; their negative
    is the one most similar to the anchor among the semi-hard: less similar than the positive, but by less than
    alpha / 2. Pairs without one count nothing, and a batch without any has the loss 0. A batch needs several faces of
    a person, and several people; under DistributedDataParallel each process looks at its own.
    """

    has_classes = False

    def __init__(self, *, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss of the batch's semi-hard triplets."""
        with without_autocast(features):
            units = unit(features.float())
            similarities = units @ units.T
            flat = similarities.flatten()
            anchors, positives, negatives = semi_hard(similarities.detach(), labels, self.margin)
            # index_select adds up its gradients in the same order every time; indexing with tensors does not.
            rows = anchors * len(labels)
            worse = flat.index_select(0, rows + negatives) - flat.index_select(0, rows + positives)
            return (self.margin + 2 * worse).clamp(min=0).sum() / max(len(anchors), 1)


def semi_hard(similarities: Tensor, labels: Tensor, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return anchors, positives and negatives (t,): places in a batch with its similarities (n, n) and labels (n,)."""
    is_same = labels[:, None] == labels[None, :]
    is_other = ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    anchors, positives = torch.nonzero(is_same & is_other, as_tuple=True)
    to_positive = similarities[anchors, positives][:, None]
    to_others = similarities[anchors]
    is_semi_hard = ~is_same[anchors] & (to_others < to_positive) & (to_others > to_positive - margin / 2)
    found = is_semi_hard.any(dim=1)
    negatives = torch.where(is_semi_hard, to_others, -torch.inf).argmax(dim=1)
    return anchors[found], positives[found], negatives[found]
