"""Store a model or a predictor as the folder that its `save` writes."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from zenml.enums import ArtifactType
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.utils import io_utils

from credence.core.hashing import folder_digest
from credence.model import Model
from credence.predictor import Predictor
from materializers.saved import Saved


class FolderMaterializer(BaseMaterializer):
    """Materializer for classes with `save(folder)` and `load(folder)`."""

    ASSOCIATED_TYPES: ClassVar[tuple[type[Any], ...]] = (Model, Predictor, Saved)
    ASSOCIATED_ARTIFACT_TYPE: ClassVar[ArtifactType] = ArtifactType.MODEL

    def save(self, thing: Any) -> None:
        """Copy the saved folder to the artifact store."""
        with self.get_temporary_directory(delete_at_exit=True) as folder:
            thing.save(Path(folder))
            io_utils.copy_dir(folder, self.uri, overwrite=True)

    def load(self, data_type: type[Any]) -> Any:
        """Load from the artifact store; the folder names its model kind.

        Raises:
            FileNotFoundError: The artifact's files are gone.
        """
        if not self.artifact_store.exists(self.uri):
            raise FileNotFoundError(self.uri)
        with self.get_temporary_directory(delete_at_exit=True) as folder:
            io_utils.copy_dir(self.uri, folder, overwrite=True)
            return data_type.load(Path(folder))

    def compute_content_hash(self, thing: Any) -> str:
        """Hash the names and contents of all files that `save` writes (SHA-256, hex)."""
        with TemporaryDirectory() as folder:
            thing.save(Path(folder))
            return content_hash(Path(folder))


def content_hash(folder: Path) -> str:
    """Hash the names and contents of all files below a folder (SHA-256, hex), as stored with artifacts."""
    return folder_digest(folder, end=b"")
