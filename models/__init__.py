"""What is pruned: the families of spiking vision transformers, data sets, model directories, training."""

from .channels import ChannelGroup
from .checkpoint import (
    DEMO,
    check_free,
    check_writable,
    fingerprint,
    load_model,
    model_bytes,
    parameter_count,
    read_json,
    save_into,
    save_model,
    write_directory,
)
from .config import ModelConfig
from .data import DataSet, ImageSet, ImageSource
from .data_sources import frame_of, open_data
from .errors import PrimeSVTError
from .evaluation import Predictions, evaluation_mode, predict, wilson
from .family import FAMILIES, build, channel_groups, config_of, config_type
from .image_sources import ArrayImages
from .neuron import LIFNode
from .spike_driven_transformer import SpikeDrivenTransformer, SpikeDrivenTransformerConfig
from .spikformer import Spikformer, SpikformerConfig
from .spikingjelly_zoo import Unsaid, from_spikingjelly, from_state_dict
from .training import Progress, Recipe, train
from .training_state import partial_checkpoint

__all__ = [
    "DEMO",
    "FAMILIES",
    "ArrayImages",
    "ChannelGroup",
    "DataSet",
    "ImageSet",
    "ImageSource",
    "LIFNode",
    "ModelConfig",
    "Predictions",
    "PrimeSVTError",
    "Progress",
    "Recipe",
    "SpikeDrivenTransformer",
    "SpikeDrivenTransformerConfig",
    "Spikformer",
    "SpikformerConfig",
    "Unsaid",
    "build",
    "channel_groups",
    "check_free",
    "check_writable",
    "config_of",
    "config_type",
    "evaluation_mode",
    "fingerprint",
    "frame_of",
    "from_spikingjelly",
    "from_state_dict",
    "load_model",
    "model_bytes",
    "open_data",
    "parameter_count",
    "partial_checkpoint",
    "predict",
    "read_json",
    "save_into",
    "save_model",
    "train",
    "wilson",
    "write_directory",
]
