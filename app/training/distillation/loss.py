"""Loss of a student: the directions of the teacher's embeddings, and the similarities between them."""

import torch
from torch import Tensor

from app.errors import TrainingInvalid
from app.training.losses.base import Loss, without_autocast
from app.training.losses.cosine_head import normalise


class DistillationLoss(Loss):
    """1 - cosine to the teacher's embedding of the same photo, plus a relational term between photos.

    The relational term is the mean squared difference between the similarity matrices of student and teacher over
    all pairs of a batch (Tung, Mori: "Similarity-Preserving Knowledge Distillation", 2019). Alone, it leaves the
    student its own embeddings, of any dimension. The labels are the numbers of the photos. The loss needs no names.
    """

    has_classes = False
    targets: Tensor

    def __init__(self, *, cosine: float = 1.0, relation: float) -> None:
        """Args: the weights of the two terms; with `cosine`, student and teacher have the same dimension."""
        super().__init__()
        self.register_buffer("targets", torch.empty(0, 0), persistent=False)
        self._cosine = cosine
        self._relation = relation

    def set_targets(self, targets: Tensor) -> None:
        """Set the teacher's unit embeddings (photos, d); checkpoints do not contain them."""
        self.targets = targets.float()

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of the features (n, d) of the photos `labels` (n,).

        Raises TrainingInvalid if the cosine is used and the teacher's embeddings have another dimension.
        """
        with without_autocast(features):
            students, teachers = normalise(features.float()), self.targets.index_select(0, labels)
            difference = students @ students.T - teachers @ teachers.T
            others = max(len(labels) * (len(labels) - 1), 1)
            off_diagonal = difference - torch.diag(torch.diagonal(difference))
            relational = self._relation * off_diagonal.square().sum() / others
            return relational + self._cosine * self._distance(students, teachers) if self._cosine else relational

    def _distance(self, students: Tensor, teachers: Tensor) -> Tensor:
        if students.shape != teachers.shape:
            raise TrainingInvalid(
                f"the teacher's embeddings have {teachers.shape[1]} numbers, the student's {students.shape[1]}; set "
                "teacher.cosine to 0 to learn only the similarities between photos"
            )
        return 1 - (students * teachers).sum(dim=1).mean()
