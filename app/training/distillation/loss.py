"""Loss of a student: the directions of the teacher's embeddings, and the similarities between them."""

import torch
from torch import Tensor

from app.errors import TrainingInvalid
from app.training.losses.base import Loss, without_autocast
from app.training.losses.cosine_head import normalise


class DistillationLoss(Loss):
    """1 - cosine to the teacher's embedding of the same photo, plus a relational term between photos.

    The relational term is the mean squared difference between the similarity matrices of student and teacher over
    all pairs of a batch (Tung, Mori: "Similarity-Preserving Knowledge Distillation", 2019). The labels are the
    numbers of the photos. The loss needs no names.
    """

    has_classes = False
    targets: Tensor

    def __init__(self, *, dimension: int, relation: float) -> None:
        """Args: relation: weight of the relational term."""
        super().__init__()
        self.register_buffer("targets", torch.empty(0, dimension), persistent=False)
        self._relation = relation

    def set_targets(self, targets: Tensor) -> None:
        """Set the teacher's unit embeddings (photos, d); checkpoints do not contain them.

        Raises TrainingInvalid if the student's embeddings have another length.
        """
        if targets.shape[1:] != self.targets.shape[1:]:
            raise TrainingInvalid(
                f"the teacher's embeddings have {targets.shape[1]} numbers, the student's {self.targets.shape[1]}"
            )
        self.targets = targets.float()

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of the features (n, d) of the photos `labels` (n,)."""
        with without_autocast(features):
            students, teachers = normalise(features.float()), self.targets.index_select(0, labels)
            cosine = (students * teachers).sum(dim=1).mean()
            difference = students @ students.T - teachers @ teachers.T
            others = max(len(labels) * (len(labels) - 1), 1)
            off_diagonal = difference - torch.diag(torch.diagonal(difference))
            return 1 - cosine + self._relation * off_diagonal.square().sum() / others
