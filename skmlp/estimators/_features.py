"""What estimators that put out features share."""

from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin


class Features(ClassNamePrefixFeaturesOutMixin, TransformerMixin):
    """A transformer whose output has the dtype of the computation."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = (
            ["float64", "float32"] if self.dtype == "auto" else []
        )
        return tags
