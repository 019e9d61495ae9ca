"""What the workflows need of the world, in their own words; adapters bring it. One module for each subject."""

from cv_yolo.ports.datasets import (
    DatasetFolder,
    DatasetRemote,
    DatasetStore,
    FoundDataset,
    Gallery,
    Painter,
    Picture,
    Thumbnail,
)
from cv_yolo.ports.models import OnEpoch, Prediction, PredictionFile, PredictionRequest, Predictor, Trainer
from cv_yolo.ports.probes import (
    DatabaseProbe,
    DatasetProbe,
    Detour,
    MachineProbe,
    ObjectStoreProbe,
    PipelineProbe,
    Probes,
    ServerProbe,
    TrackingProbe,
)
from cv_yolo.ports.records import ExperimentTracker, FinishedTrainings, Letters, NewRun, Outbox, Recorder
from cv_yolo.ports.registry import Anchor, AuditLog, ModelRegistry, NewVersion
from cv_yolo.ports.servers import ObjectStore, PipelineServer, StackRegistry, StoredObject, TrackingServer

__all__ = [
    "Anchor",
    "AuditLog",
    "DatabaseProbe",
    "DatasetFolder",
    "DatasetProbe",
    "DatasetRemote",
    "DatasetStore",
    "Detour",
    "ExperimentTracker",
    "FinishedTrainings",
    "FoundDataset",
    "Gallery",
    "Letters",
    "MachineProbe",
    "ModelRegistry",
    "NewRun",
    "NewVersion",
    "ObjectStore",
    "ObjectStoreProbe",
    "OnEpoch",
    "Outbox",
    "Painter",
    "Picture",
    "PipelineProbe",
    "PipelineServer",
    "Prediction",
    "PredictionFile",
    "PredictionRequest",
    "Predictor",
    "Probes",
    "Recorder",
    "ServerProbe",
    "StackRegistry",
    "StoredObject",
    "Thumbnail",
    "TrackingProbe",
    "TrackingServer",
    "Trainer",
]
