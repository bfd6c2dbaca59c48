"""The revision folder: what is written is read back as the same module; hostile folders are refused."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from registry_client.architectures import fetch_architecture
from registry_client.networks import ArchitectureError, find_class

if TYPE_CHECKING:
    from torch import nn

pytestmark = pytest.mark.xdist_group("torch")


def pack(module: nn.Module, folder: Path, **parts: Any) -> Path:
    """Write the revision folder of a module and return it."""
    from registry_client.models import describe_model, pack_model

    pack_model(module, folder, describe_model(module, **parts), "lab/model")
    return folder


def assert_same_tensors(one: nn.Module, other: nn.Module) -> None:
    """Both modules have the same names, and bit for bit the same values."""
    import torch

    ours, theirs = one.state_dict(), other.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def meshnet(**arguments: Any) -> nn.Module:
    """Return a small MeshNet with values that no initialiser gives."""
    import torch

    module = fetch_architecture("meshnet", 3)((16, 16, 16, 1), **{"dilations": (1, 2), **arguments})
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.copy_(torch.arange(tensor.numel()).reshape(tensor.shape) % 7 + 0.5)
    return module


DYNUNET: dict[str, Any] = {
    "spatial_dims": 3,
    "in_channels": 1,
    "out_channels": 2,
    "kernel_size": [3, 3, 3, 3],
    "strides": [1, 2, 2, 2],
    "upsample_kernel_size": [2, 2, 2],
    "filters": [4, 8, 8, 8],
    "deep_supervision": True,
}


def test_a_module_comes_back_in_evaluation_mode_with_its_facts(tmp_path: Path) -> None:
    from registry_client.folder import load_folder

    module = meshnet(number_of_outputs=3).train()
    loaded = load_folder(pack(module, tmp_path, version="1.0.0"))
    assert_same_tensors(module, loaded)
    assert not loaded.training
    assert loaded.manifest.version == "1.0.0"
    assert loaded.manifest.task == "segmentation"
    assert loaded.card.startswith("---\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]


def test_a_class_of_monai_with_tied_weights_keeps_its_ties(tmp_path: Path) -> None:
    from monai.networks.nets.dynunet import DynUNet

    from registry_client.folder import load_folder

    module = DynUNet(**DYNUNET)
    loaded = load_folder(pack(module, tmp_path, arguments=DYNUNET))
    assert_same_tensors(module, loaded)
    assert len(list(loaded.parameters())) == len(list(module.parameters()))
    assert len(loaded.state_dict()) > len(list(loaded.parameters()))


def test_weights_tied_by_parameter_are_one_parameter_again(tmp_path: Path) -> None:
    import torch

    from registry_client import weights

    class Tied(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = torch.nn.Embedding(5, 3)
            self.head = torch.nn.Linear(3, 5, bias=False)
            self.head.weight = self.embed.weight

    module, loaded = Tied(), Tied()
    weights.save(module, tmp_path / "model.safetensors")
    weights.assign(loaded, *weights.read(tmp_path / "model.safetensors", "cpu"))
    assert loaded.head.weight is loaded.embed.weight
    assert torch.equal(loaded.head.weight, module.head.weight)


def test_training_a_loaded_module_leaves_its_file_alone(tmp_path: Path) -> None:
    import torch

    from registry_client.folder import load_folder

    before = (pack(meshnet(), tmp_path) / "model.safetensors").read_bytes()
    loaded = load_folder(tmp_path)
    with torch.no_grad():
        for parameter in loaded.parameters():
            parameter.add_(1)
    assert (tmp_path / "model.safetensors").read_bytes() == before


def test_another_number_of_outputs_gives_a_new_head_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import torch

    from registry_client.folder import load_folder

    module = meshnet(number_of_outputs=3)
    pack(module, tmp_path)
    with caplog.at_level(logging.WARNING, logger="registry_client"):
        loaded = load_folder(tmp_path, overrides={"number_of_outputs": 5})
    head = [name for name in module.state_dict() if module.state_dict()[name].shape[:1] == (3,)]
    assert list(loaded.new_layers) == head
    assert all(name in caplog.text for name in head)
    kept, given = loaded.state_dict(), module.state_dict()
    assert all(torch.equal(kept[name], given[name]) for name in given if name not in head)
    # Initialised as torch initialises a convolution of 5 inputs: within 1/sqrt(5).
    assert kept[head[0]].shape[0] == 5
    assert 0 < float(kept[head[0]].abs().max()) <= 5**-0.5


def test_a_new_head_of_a_class_can_be_registered_again(tmp_path: Path) -> None:
    from monai.networks.nets.dynunet import DynUNet

    from registry_client.folder import load_folder

    pack(DynUNet(**DYNUNET), tmp_path / "one", arguments=DYNUNET)
    loaded = load_folder(tmp_path / "one", overrides={"out_channels": 4})
    again = load_folder(pack(loaded, tmp_path / "two"))
    assert_same_tensors(loaded, again)
    assert again.manifest.architecture.arguments["out_channels"] == 4


def test_an_unknown_override_is_refused_with_the_right_word(tmp_path: Path) -> None:
    from registry_client.folder import load_folder

    pack(meshnet(), tmp_path)
    with pytest.raises(ArchitectureError, match="did you mean `number_of_outputs`"):
        load_folder(tmp_path, overrides={"number_of_output": 5})


def test_a_module_of_unknown_code_is_refused_with_three_ways_to_go_on() -> None:
    import torch

    from registry_client.models import describe_model

    class Own(torch.nn.Module):
        pass

    with pytest.raises(ArchitectureError, match=r"cannot be built from data.*\(1\).*\(2\).*\(3\)"):
        describe_model(Own())


def test_a_class_without_arguments_is_refused_with_its_signature() -> None:
    import torch

    from registry_client.models import describe_model

    with pytest.raises(ArchitectureError, match=r"arguments=\{...\}.*in_features.*Three ways"):
        describe_model(torch.nn.Linear(2, 3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_features": 2, "out_features": 4}, r"of another kind: weight \(3, 2\) instead of \(4, 2\)"),
        ({"in_features": 2, "out_features": 3, "bias": False}, "1 unexpected: bias"),
        ({"in_features": 2, "out_feature": 3}, "did you mean `out_features`"),
        ({"in_features": 2}, "cannot be built.*out_features"),
    ],
)
def test_arguments_that_build_another_module_are_refused(
    tmp_path: Path, arguments: dict[str, object], message: str
) -> None:
    import torch

    with pytest.raises(ArchitectureError, match=message):
        pack(torch.nn.Linear(2, 3), tmp_path, arguments=arguments)


def test_arguments_that_differ_in_no_tensor_but_in_the_layer_are_refused(tmp_path: Path) -> None:
    import torch

    with pytest.raises(ArchitectureError, match="stride"):
        pack(
            torch.nn.Conv2d(1, 1, 3, stride=2),
            tmp_path,
            arguments={"in_channels": 1, "out_channels": 1, "kernel_size": 3},
        )


def test_a_layer_replaced_after_building_is_refused(tmp_path: Path) -> None:
    import torch

    module = fetch_architecture("resnet", 2)((32, 32, 1), depth=10, number_of_filters=4)
    module.fc = torch.nn.Linear(32, 9)
    with pytest.raises(ArchitectureError, match=r"fc.weight.*was a layer replaced"):
        pack(module, tmp_path)


def test_diverged_weights_are_refused(tmp_path: Path) -> None:
    import torch

    module = meshnet()
    with torch.no_grad():
        next(module.parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match=r"`model.0.weight` has NaN or infinite values"):
        pack(module, tmp_path)


def rewrite(folder: Path, **architecture: object) -> None:
    """Replace the architecture in a folder's manifest, as somebody hostile would."""
    document = json.loads((folder / "config.json").read_text())
    document["architecture"] = architecture
    (folder / "config.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ({"class": "torch.nn.Linear", "arguments": {"in_features": 10**6, "out_features": 10**6}}, "MiB"),
        (
            {"class": "torch.nn.Linear", "arguments": {"in_features": 10**9, "out_features": 1}},
            "at most 10000000",
        ),
        (
            {
                "class": "monai.networks.nets.SwinUNETR",
                "arguments": {"in_channels": 1, "out_channels": 2, "window_size": 64},
            },
            "MiB",
        ),
        (
            {
                "name": "meshnet",
                "dim": 3,
                "version": 1,
                "arguments": {"input_image_size": [8, 8, 8, 1], "number_of_filters": 60_000},
            },
            "MiB",
        ),
        (
            {
                "class": "monai.networks.nets.EfficientNetBN",
                "arguments": {"model_name": "x", "pretrained": True},
            },
            "reads weights",
        ),
        ({"class": "os.system", "arguments": {"command": "true"}}, "not allowed"),
        ({"class": "torch.nn.functional.relu", "arguments": {}}, "not allowed"),
        ({"class": "torch.hub.load", "arguments": {}}, "not allowed"),
        ({"name": "../../os", "dim": 3, "version": 1}, "name must be"),
        ({"name": "os", "dim": 3, "version": 1}, "architecture `os` is unknown"),
        ({"name": "meshnet", "dim": 3, "version": 99, "arguments": {}}, "version 99, this library knows 1"),
    ],
)
def test_a_hostile_manifest_builds_nothing(
    tmp_path: Path, architecture: dict[str, object], message: str
) -> None:
    from registry_client.folder import load_folder

    pack(meshnet(), tmp_path)
    rewrite(tmp_path, **architecture)
    with pytest.raises(ValueError, match=message):
        load_folder(tmp_path)


@pytest.mark.parametrize(
    "name",
    [
        "torch.nn.init",
        "torch.nn.functional",
        "torch.nn.Parameter",
        "torch.nn.Module.__init__",
        "torch.nn.__class__",
        "monai.networks.nets.resnet18",
        "monai.networks.nets.resnet.torch",
        "torch.nn.Modul",
    ],
)
def test_names_that_are_no_network_class_are_not_reached(name: str) -> None:
    with pytest.raises(ArchitectureError):
        find_class(name)


def test_a_damaged_weights_file_is_refused(tmp_path: Path) -> None:
    from registry_client.folder import load_folder

    path = pack(meshnet(), tmp_path) / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(ValueError, match="is damaged"):
        load_folder(tmp_path)
    path.write_bytes((2**62).to_bytes(8, "little") + content[8:])
    with pytest.raises(ValueError, match="is damaged"):
        load_folder(tmp_path)


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    from registry_client.folder import load_folder

    pack(meshnet(number_of_outputs=3), tmp_path / "a")
    pack(meshnet(number_of_outputs=4), tmp_path / "b")
    (tmp_path / "b" / "model.safetensors").replace(tmp_path / "a" / "model.safetensors")
    with pytest.raises(ValueError, match="does not fit the architecture"):
        load_folder(tmp_path / "a")


def test_a_folder_that_was_never_registered_is_told_apart(tmp_path: Path) -> None:
    from registry_client.folder import load_folder

    with pytest.raises(FileNotFoundError, match=r"no config.json.*voxhub pull"):
        load_folder(tmp_path)
