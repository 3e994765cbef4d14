import pytest


@pytest.fixture(scope="session")
def backbone_of():
    """Return a function: backbone_of("mobilefacenet") is a small backbone with trained statistics and slopes."""
    # Imported here, because this file is also loaded without PyTorch.
    import torch  # noqa: PLC0415

    from app.training.backbones.building import build_backbone  # noqa: PLC0415
    from app.training.backbones.spec import BackboneSpec  # noqa: PLC0415

    def build(name, **options):
        torch.manual_seed(0)
        backbone = build_backbone(BackboneSpec(name, dimension=16, width=0.125, **options))
        for module in backbone.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.BatchNorm1d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 2)
            if isinstance(module, torch.nn.PReLU):
                torch.nn.init.uniform_(module.weight, 0, 0.5)
        return backbone

    return build
