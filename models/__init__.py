"""What is pruned: the families of spiking vision transformers, data sets, model directories, training."""

from typing import TYPE_CHECKING

from .lazy import lazily

if TYPE_CHECKING:
    from .accuracy import Accuracy, wilson
    from .checkpoints.importing import Imported, UnusedKey, import_checkpoint, import_state
    from .checkpoints.official_state import official_state, to_layout
    from .checkpoints.spikingjelly_zoo import from_spikingjelly
    from .checkpoints.weights_file import check_values, read_weights
    from .data.data_set import DataSet, ImageSet, ImageSource, Role, split
    from .data.formats.data_format import DEFAULT_TEST_FRACTION, DataFormat, Opening
    from .data.formats.registry import DATA_FORMATS, data_formats
    from .data.images import ArrayImages
    from .data.opening import frame_of, open_data, with_selection, with_selection_from_test
    from .engine import (
        CountedForward,
        Counter,
        Engine,
        Forward,
        LayerWork,
        Program,
        SharedForward,
        Work,
        counted_forward,
        forward_of,
    )
    from .engine.backend import Backend
    from .engine.device import CPU, Precision, find_device
    from .engine.device_forward import DeviceForward
    from .engine.device_model import DeviceModel, Execution, device_model
    from .errors import PrimeSVTError
    from .export import ExportedFile, export_onnx, export_pt2
    from .families.config import ModelConfig, check_above, check_range
    from .families.hierarchical import HierarchicalConfig
    from .families.isotropic import IsotropicConfig
    from .families.layout import Checkpoint, Layout, Rename, conv_bn_renames
    from .families.maxformer import MaxFormer, MaxFormerConfig
    from .families.meta_spikeformer import MetaSpikeFormer, MetaSpikeFormerConfig
    from .families.qkformer import QKFormer, QKFormerConfig
    from .families.registry import (
        FAMILIES,
        assembled,
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
    from .families.resizing import Resizing
    from .families.spike_driven_transformer import SpikeDrivenTransformer, SpikeDrivenTransformerConfig
    from .families.spikformer import Spikformer, SpikformerConfig
    from .families.spiking_block import SelfAttention, SpikingBlock
    from .families.unsaid import Unsaid, unsaid_of
    from .hub import HubName, upload
    from .int8_weights import int8_bytes
    from .json_text import read_json
    from .layers.channels import EMBEDDING, ChannelGroup, conv_bn, residual_branch, writer
    from .layers.conv import ConvBN, MaxPool
    from .layers.folding import fold
    from .layers.neuron import LIFNode
    from .layers.stream_index import StreamIndex
    from .model_directory import (
        CONFIG,
        DEMO,
        PLAN,
        TRAINING,
        WEIGHTS,
        as_int8,
        check_free,
        check_writable,
        fingerprint,
        load_model,
        model_bytes,
        model_folder,
        parameter_count,
        save_into,
        save_model,
        stored_bytes,
        write_directory,
    )
    from .plugins import Named, Registry
    from .prediction import BATCH_SIZE, Predictions, batch_size_of, count_work, evaluation_mode, predict
    from .suggestion import meant, unknown
    from .training.loop import Progress, TrainOptions, train
    from .training.norm_statistics import settle
    from .training.recipe import Recipe
    from .training.resume_file import ResumeFile
    from .whole_file import partial_file, whole_file

__all__ = [
    "BATCH_SIZE",
    "CONFIG",
    "CPU",
    "DATA_FORMATS",
    "DEFAULT_TEST_FRACTION",
    "DEMO",
    "EMBEDDING",
    "FAMILIES",
    "PLAN",
    "TRAINING",
    "WEIGHTS",
    "Accuracy",
    "ArrayImages",
    "Backend",
    "ChannelGroup",
    "Checkpoint",
    "ConvBN",
    "CountedForward",
    "Counter",
    "DataFormat",
    "DataSet",
    "DeviceForward",
    "DeviceModel",
    "Engine",
    "Execution",
    "ExportedFile",
    "Forward",
    "HierarchicalConfig",
    "HubName",
    "ImageSet",
    "ImageSource",
    "Imported",
    "IsotropicConfig",
    "LIFNode",
    "LayerWork",
    "Layout",
    "MaxFormer",
    "MaxFormerConfig",
    "MaxPool",
    "MetaSpikeFormer",
    "MetaSpikeFormerConfig",
    "ModelConfig",
    "Named",
    "Opening",
    "Precision",
    "Predictions",
    "PrimeSVTError",
    "Program",
    "Progress",
    "QKFormer",
    "QKFormerConfig",
    "Recipe",
    "Registry",
    "Rename",
    "Resizing",
    "ResumeFile",
    "Role",
    "SelfAttention",
    "SharedForward",
    "SpikeDrivenTransformer",
    "SpikeDrivenTransformerConfig",
    "Spikformer",
    "SpikformerConfig",
    "SpikingBlock",
    "StreamIndex",
    "TrainOptions",
    "Unsaid",
    "UnusedKey",
    "Work",
    "as_int8",
    "assembled",
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
    "count_work",
    "counted_forward",
    "data_formats",
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
    "int8_bytes",
    "load_model",
    "meant",
    "model_bytes",
    "model_folder",
    "named_config",
    "official_state",
    "open_data",
    "parameter_count",
    "partial_file",
    "predict",
    "published_names",
    "read_json",
    "read_weights",
    "residual_branch",
    "save_into",
    "save_model",
    "settle",
    "split",
    "stored_bytes",
    "streams",
    "to_layout",
    "train",
    "unknown",
    "unsaid_of",
    "upload",
    "whole_file",
    "wilson",
    "with_selection",
    "with_selection_from_test",
    "write_directory",
    "writer",
]

lazily(__name__)
