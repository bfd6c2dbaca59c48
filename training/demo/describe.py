"""What a demonstration model says about itself: its manifest and its card."""

from __future__ import annotations

from torch import nn

from registry_client import manifest as m
from registry_client.architectures import find_recipe
from training.demo.measure import Metrics
from training.demo.recipes import Recipe, Release

_TEMPLATE = "ICBM 2009a nonlinear T1 template (MNI152), as shipped with nilearn"
NAMESPACE = "lab"
"""The organisation that `make demo` pushes to."""
_COLOURS = {"grey matter": "#cd3e4e", "white matter": "#f2f2f2", "other": "#4f81bd", "brain": "#e0a458"}
_TITLES = {"tissue": "MNI152 tissue", "brain": "MNI152 brain mask"}
_SUMMARIES = {
    "tissue": "labels grey matter, white matter and everything else inside the head",
    "brain": "separates the brain from the rest of the head",
}


def manifest_of(model: nn.Module, recipe: Recipe, release: Release, metrics: Metrics | None) -> m.Manifest:
    """Describe a version; the measured Dice is in it when it has been measured."""
    built = find_recipe(model)
    if built is None:
        raise ValueError(f"`{type(model).__name__}` has no recipe; build it with fetch_architecture")
    measured = {f"dice {name}": score.mean for name, score in metrics.dice.items()} if metrics else {}
    one_solid = (m.Step(op="keep_largest_component"), m.Step(op="fill_holes"))
    mask = one_solid if recipe.target == "brain" else ()
    return m.Manifest(
        architecture=m.Architecture(name=built.name, dim=3, version=built.version, arguments=built.arguments),
        version=release.version,
        task="segmentation",
        inputs=(
            m.Input(
                modality="MR",
                orientation="RAS",
                spacing=(recipe.spacing,) * 3,
                size=m.Size(rule="any"),
                intensity=m.Intensity(rule="percentiles", lower=0.0, upper=99.5, scope="volume"),
            ),
        ),
        outputs=(
            m.Output(
                classes=tuple(
                    m.Class(value=value, name=name, colour=_COLOURS.get(name))
                    for value, name in enumerate(recipe.labels)
                )
            ),
        ),
        inference=m.Inference(mode="whole"),
        postprocessing=(m.Step(op="argmax"), *mask),
        training=m.Training(
            data=(_TEMPLATE,),
            description=f"{_steps(recipe, release)} steps on images drawn from one template",
            base=_base(recipe, release),
            metrics=measured,
        ),
    )


def _steps(recipe: Recipe, release: Release) -> int:
    number = recipe.releases.index(release)
    return sum(earlier.steps for earlier in recipe.releases[: number + 1])


def _base(recipe: Recipe, release: Release) -> str | None:
    number = recipe.releases.index(release)
    return f"{NAMESPACE}/{recipe.name}@{recipe.releases[number - 1].version}" if number else None


def card_of(recipe: Recipe, release: Release, metrics: Metrics) -> str:
    """Write the model card: YAML metadata for the hub, then what a user has to know."""
    title, summary = _TITLES[recipe.target], _SUMMARIES[recipe.target]
    base = _base(recipe, release)
    goes_on = f" This version goes on from `{base}`." if base else ""
    size = " × ".join(str(extent) for extent in metrics.shape)
    patch = " to ".join(
        dict.fromkeys(" × ".join(map(str, sizes)) for sizes in (recipe.smallest, recipe.largest))
    )
    return f"""---
license: apache-2.0
library_name: voxhub
pipeline_tag: image-segmentation
architecture: meshnet
modality:
- MR
version: {release.version}
tags:
- voxhub
- medical-imaging
- segmentation
- mr
- t1
- brain
- demonstration
---
# {title} {release.version}

A MeshNet of {metrics.parameters:,} parameters that {summary}, on T1-weighted MR images of adults.
It is a **demonstration model, not for clinical use**.{goes_on}

## Intended use

Trying out a hub: registering, fetching, fine-tuning and running a model on a laptop or in a browser.
It is small enough for that and does a recognisable job. Do not base a diagnosis, a treatment or a
scientific result on its labels.

## Use

```python
import nibabel
import registry_client as vox
from training.inference import segment

model = vox.fetch_pretrained("{NAMESPACE}/{recipe.name}@{release.version}")
labels = segment(model, nibabel.load("t1.nii.gz"))
nibabel.save(labels, "labels.nii.gz")
```

Any orientation and spacing is accepted: the image is turned to RAS+, resampled to
{recipe.spacing:g} mm, scaled linearly so that its minimum becomes 0 and its 99.5th percentile 1
(clipped there), and labelled as a whole.{_after(recipe)} Labels come back on the grid of the image.

| value | class | |
|---|---|---|
{_class_rows(recipe)}

## Measured

Dice on {len(metrics.seeds)} held-out images ({size} voxels of {metrics.spacing:g} mm), drawn from the
template by seeds that neither training nor the choice of its settings used, after {metrics.steps} steps
in all:

| class | mean | lowest |
|---|---|---|
{_score_rows(metrics)}

These images come from the same template and the same augmentation as the training images. The
numbers say that the network learned its task; they do **not** say how well it does on patients.
Every version of this model is measured on the same images.

## Limitations

- It was trained on **one** anatomy, the average of 152 healthy young adults. Children, old age,
  tumours, strokes, surgery and implants were never seen.
- The template is skull-stripped. Skull, scalp, face and neck in the training images are drawn
  (random shells and textures around the brain), so the model has never seen a real head. Expect
  errors where the brain meets dura, orbit and neck muscle.
- T1-weighted images only; not T2, FLAIR, contrast-enhanced or CT.
{_extra_limits(recipe)}
## Training

Every step draws one image of {patch} voxels from the template: flip,
rotation (σ 10°), scaling (0.75–1.17), shear and elastic deformation; template contrast, or contrast
painted from the tissue maps with random means; a drawn head in three of four images; blur, thick
slices, bias field, gamma, Rician noise and gain. AdamW, cross-entropy plus Dice, one cycle of the
learning rate, fixed seeds.
Train it again (equal up to rounding) with `python -m training.demo.train --model {recipe.name}`.

## Data and licence

The weights are licensed under Apache-2.0. They were trained on the ICBM 152 nonlinear 2009a template with
its tissue maps, as shipped in the package nilearn (which states no licence of its own for it). The
template's copyright notice, which has to go with it:

> Copyright (C) 1993-2004 Louis Collins, McConnell Brain Imaging Centre, Montreal Neurological
> Institute, McGill University. Permission to use, copy, modify, and distribute this software and its
> documentation for any purpose and without fee is hereby granted, provided that the above copyright
> notice appear in all copies. The authors and McGill University make no representations about the
> suitability of this software for any purpose. It is provided "as is" without express or implied
> warranty. The authors are not responsible for any data loss, equipment damage, property loss, or
> injury to subjects or patients resulting from the use or misuse of this software package.

- V. Fonov et al., Unbiased average age-appropriate atlases for pediatric studies, NeuroImage 54
  (2011), doi:10.1016/j.neuroimage.2010.07.033
- A. Fedorov et al., End-to-end learning of brain tissue segmentation from imperfect labeling, IJCNN
  2017, doi:10.1109/IJCNN.2017.7966333
"""


def _after(recipe: Recipe) -> str:
    return " The largest part is kept and its holes are filled." if recipe.target == "brain" else ""


def _class_rows(recipe: Recipe) -> str:
    meaning = {
        "background": "air outside of the head (and everything, where nothing else fits)",
        "other": "inside the head, neither grey nor white matter: CSF, skull, scalp, face, neck",
    }
    if recipe.target == "brain":
        meaning = {"background": "everything else", "brain": "brain with the CSF in its ventricles and sulci"}
    return "\n".join(
        f"| {value} | {name} | {meaning.get(name, '')} |" for value, name in enumerate(recipe.labels)
    )


def _score_rows(metrics: Metrics) -> str:
    return "\n".join(
        f"| {name} | {score.mean:.3f} | {score.min:.3f} |" for name, score in metrics.dice.items()
    )


def _extra_limits(recipe: Recipe) -> str:
    spacing = f"{recipe.spacing:g} mm"
    if recipe.target == "brain":
        return f"- The mask is computed at {spacing}: its border is smooth, and detail is lost.\n"
    return (
        "- The tissue maps of the template are probabilities; a voxel belongs to the most probable tissue.\n"
        "  Deep grey nuclei with a bright T1 (thalamus, pallidum) are partly white matter in them.\n"
        "- It expects the usual T1 contrast, grey matter at 0.7 to 0.8 of white matter, and little shading;\n"
        "  correct a strong bias field first.\n"
        f"- It works at {spacing}: thin cortex, narrow sulci and small nuclei are blurred.\n"
        "- `other` is one class: CSF is not told apart from skull or scalp.\n"
    )
