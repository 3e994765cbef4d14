"""A loss on the cosines of features and class weights; what differs from paper to paper is the target's."""

from torch import Tensor
from torch.nn import functional

from app.training.losses.base import Loss, without_autocast
from app.training.losses.cosine_head import CosineHead, angles, nearest, unit
from app.training.losses.sampling import ClassSampler


class CosineLoss(Loss):
    """Cross-entropy over cosines times a scale, the cosine of each label's own class made harder by `target`."""

    def __init__(self, head: CosineHead, sampler: ClassSampler, *, scale: float) -> None:
        super().__init__()
        self.head = head
        self.sampler = sampler
        self.scale = scale

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss over the classes that take part in this step."""
        with without_autocast(features):
            classes, own = self.sampler(labels, self.iteration)
            return functional.cross_entropy(self._logits(features, own, classes), own)

    def logits(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the logits of all classes (n, classes), whatever the sample rate."""
        with without_autocast(features):
            return self._logits(features, labels)

    def cosines(self, features: Tensor) -> Tensor:
        """Return the cosines (n, classes), at each class's nearest sub-centre."""
        with without_autocast(features):
            return nearest(unit(features.float()), self.head())[0]

    def target(self, theta: Tensor) -> Tensor:
        """Return what stands for the cosine of each label's own class, given its angles (n,) in 0..pi."""
        raise NotImplementedError

    def scales(self, features: Tensor) -> Tensor | float:
        """Return what the cosines of float32 features (n, d) are multiplied by: a number, or (n, 1)."""
        del features
        return self.scale

    def _logits(self, features: Tensor, labels: Tensor, classes: Tensor | None = None) -> Tensor:
        features = features.float()
        units, centers = unit(features), self.head(classes)
        cosines, winners = nearest(units, centers)
        own = labels[:, None]
        rows = labels * centers.shape[1] + winners.gather(1, own)[:, 0]
        # index_select adds up its gradients in the same order every time; indexing with tensors does not.
        theta = angles(units, centers.flatten(0, 1).index_select(0, rows))
        harder = cosines.scatter(1, own, self.target(theta)[:, None])
        return self.scales(features) * harder
