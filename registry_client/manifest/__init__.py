"""The manifest: what `config.json` of a model revision says about the model.

    Manifest
    ├── architecture     a name of the catalogue, or an importable class, and its arguments
    ├── task             what the model answers
    ├── inputs[]         modality, channels, orientation, spacing, size rule, intensity rule
    ├── outputs[]        classes with value, name and colour; the unit
    ├── inference        whole image or sliding window
    ├── preprocessing[]  steps before the network that no input rule covers
    ├── postprocessing[] steps after it
    ├── training         what it was trained on, and what was measured
    ├── needs            measured memory (bytes) and seconds
    └── environment      versions of the packages that wrote it

This package imports nothing but msgspec, so that a server reads manifests without any of the
rest. A manifest comes from a stranger: its size and depth are bounded, every number is finite,
and every refusal names the field. Fields that this version does not know are kept in `extra`
of the record where they stood, and are written back there.
"""

from registry_client.manifest.codec import (
    LARGEST_SIZE,
    ManifestError,
    NotAManifestError,
    decode,
    encode,
    from_plain,
    json_schema,
    record_from_plain,
    to_plain,
)
from registry_client.manifest.records import (
    VERSION,
    Architecture,
    Class,
    Crop,
    Inference,
    Input,
    Intensity,
    Manifest,
    Needs,
    Output,
    Record,
    Size,
    Step,
    Task,
    Training,
)

__all__ = [
    "LARGEST_SIZE",
    "VERSION",
    "Architecture",
    "Class",
    "Crop",
    "Inference",
    "Input",
    "Intensity",
    "Manifest",
    "ManifestError",
    "Needs",
    "NotAManifestError",
    "Output",
    "Record",
    "Size",
    "Step",
    "Task",
    "Training",
    "decode",
    "encode",
    "from_plain",
    "json_schema",
    "record_from_plain",
    "to_plain",
]
