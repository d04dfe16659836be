"""AutoencoderTransformer and AutoencoderOutlierDetector."""

from ._outlier import AutoencoderOutlierDetector
from ._transformer import AutoencoderTransformer

__all__ = ["AutoencoderOutlierDetector", "AutoencoderTransformer"]
