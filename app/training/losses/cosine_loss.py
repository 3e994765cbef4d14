"""The common part of all losses on the cosines between features and class weights."""

from torch import Tensor
from torch.nn import functional

from app.training.losses.base import Loss, OwnClass, without_autocast
from app.training.losses.cosine_head import CosineHead, angles, nearest_centres, normalise
from app.training.losses.sampling import ClassSampler


class CosineLoss(Loss):
    """Cross-entropy over scaled cosines. The subclass's `target` replaces the cosine of the label's class."""

    def __init__(self, head: CosineHead, sampler: ClassSampler, *, scale: float) -> None:
        super().__init__()
        self.head = head
        self.sampler = sampler
        self.scale = scale

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss over the classes sampled for this step."""
        with without_autocast(features):
            classes, own = self.sampler(labels, self.iteration)
            logits, theta = self._logits(features, own, classes)
            self.own_class = OwnClass(theta.detach().mean(), logits.detach().gather(1, own[:, None]).mean())
            return functional.cross_entropy(logits, own)

    def logits(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the logits of all classes (n, classes), regardless of the sample rate."""
        with without_autocast(features):
            return self._logits(features, labels)[0]

    def cosines(self, features: Tensor) -> Tensor:
        """Return the cosines (n, classes) to the nearest sub-centre of each class."""
        with without_autocast(features):
            return nearest_centres(normalise(features.float()), self.head())[0]

    def target(self, theta: Tensor) -> Tensor:
        """Return the replacement for the cosine of the label's class, given the angles (n,) in 0..pi."""
        raise NotImplementedError

    def targets(self, theta: Tensor, features: Tensor) -> Tensor:
        """Return the same for losses whose margin depends on the float32 features (n, d); by default `target`."""
        del features
        return self.target(theta)

    def scales(self, features: Tensor) -> Tensor | float:
        """Return the scale of the cosines of float32 features (n, d): a number, or an array (n, 1)."""
        del features
        return self.scale

    def _logits(self, features: Tensor, labels: Tensor, classes: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return the logits (n, classes), and the angles (n,) to the class weights of the labels."""
        features = features.float()
        units, centers = normalise(features), self.head(classes)
        cosines, winners = nearest_centres(units, centers)
        own = labels[:, None]
        rows = labels * centers.shape[1] + winners.gather(1, own)[:, 0]
        # index_select accumulates gradients in a deterministic order; indexing with tensors does not.
        theta = angles(units, centers.flatten(0, 1).index_select(0, rows))
        adjusted = cosines.scatter(1, own, self.targets(theta, features)[:, None])
        return self.scales(features) * adjusted, theta
