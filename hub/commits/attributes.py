"""The .gitattributes with which repositories begin, and which files it calls large."""

import hashlib

# What Hugging Face calls large by default (a fact of its protocol: clients expect the same answers), and
# beside it what medical imaging calls large.
_LARGE = """
*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.mlmodel *.model *.msgpack *.npy *.npz
*.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors saved_model/**/* *.tar.* *.tar
*.tflite *.tgz *.wasm *.xz *.zip *.zst *tfevents* *.nii *.mgz *.mha *.mhd *.nrrd *.dcm
"""
INITIAL = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in _LARGE.split()).encode()
INITIAL_SHA256 = hashlib.sha256(INITIAL).digest()
