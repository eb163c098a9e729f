"""What is pruned: the families of spiking vision transformers, data sets, model directories, training."""

from .channels import EMBEDDING, ChannelGroup, conv_bn, writer
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
from .config import ModelConfig, check_above, check_range
from .conv import ConvBN, MaxPool
from .cuda_engine import DeviceModel, Execution, device_model
from .data import DataSet, ImageSet, ImageSource
from .data_sources import frame_of, open_data
from .device import CPU, Precision, find_device
from .engine import Engine, Forward, Program, SharedForward, forward_of
from .errors import PrimeSVTError
from .evaluation import BATCH_SIZE, Predictions, batch_size_of, evaluation_mode, predict, wilson
from .export import ExportedFile, export_onnx, export_pt2
from .family import (
    FAMILIES,
    build,
    channel_groups,
    config_of,
    config_type,
    families,
    independent,
    named_config,
    published_names,
    streams,
)
from .folding import fold
from .hierarchical import HierarchicalConfig
from .image_sources import ArrayImages
from .importing import Imported, UnusedKey, import_checkpoint, import_state
from .isotropic import IsotropicConfig
from .layout import Checkpoint, Layout, Rename, Unsaid, conv_bn_renames, unsaid_of
from .maxformer import MaxFormer, MaxFormerConfig
from .meta_spikeformer import MetaSpikeFormer, MetaSpikeFormerConfig
from .neuron import LIFNode
from .official_state import official_state, to_layout
from .qkformer import QKFormer, QKFormerConfig
from .spike_driven_transformer import SpikeDrivenTransformer, SpikeDrivenTransformerConfig
from .spikformer import Spikformer, SpikformerConfig
from .spiking_block import SelfAttention, SpikingBlock
from .spikingjelly_zoo import from_spikingjelly
from .stream_index import StreamIndex
from .training import Progress, Recipe, train
from .weights_file import check_values, read_weights
from .whole_file import partial_file, whole_file

__all__ = [
    "BATCH_SIZE",
    "CPU",
    "DEMO",
    "EMBEDDING",
    "FAMILIES",
    "ArrayImages",
    "ChannelGroup",
    "Checkpoint",
    "ConvBN",
    "DataSet",
    "DeviceModel",
    "Engine",
    "Execution",
    "ExportedFile",
    "Forward",
    "HierarchicalConfig",
    "ImageSet",
    "ImageSource",
    "Imported",
    "IsotropicConfig",
    "LIFNode",
    "Layout",
    "MaxFormer",
    "MaxFormerConfig",
    "MaxPool",
    "MetaSpikeFormer",
    "MetaSpikeFormerConfig",
    "ModelConfig",
    "Precision",
    "Predictions",
    "PrimeSVTError",
    "Program",
    "Progress",
    "QKFormer",
    "QKFormerConfig",
    "Recipe",
    "Rename",
    "SelfAttention",
    "SharedForward",
    "SpikeDrivenTransformer",
    "SpikeDrivenTransformerConfig",
    "Spikformer",
    "SpikformerConfig",
    "SpikingBlock",
    "StreamIndex",
    "Unsaid",
    "UnusedKey",
    "batch_size_of",
    "build",
    "channel_groups",
    "check_above",
    "check_free",
    "check_range",
    "check_values",
    "check_writable",
    "config_of",
    "config_type",
    "conv_bn",
    "conv_bn_renames",
    "device_model",
    "evaluation_mode",
    "export_onnx",
    "export_pt2",
    "families",
    "find_device",
    "fingerprint",
    "fold",
    "forward_of",
    "frame_of",
    "from_spikingjelly",
    "import_checkpoint",
    "import_state",
    "independent",
    "load_model",
    "model_bytes",
    "named_config",
    "official_state",
    "open_data",
    "parameter_count",
    "partial_file",
    "predict",
    "published_names",
    "read_json",
    "read_weights",
    "save_into",
    "save_model",
    "streams",
    "to_layout",
    "train",
    "unsaid_of",
    "whole_file",
    "wilson",
    "write_directory",
    "writer",
]
