"""What a call from Python returns."""


class Told:
    """A result that a notebook shows in words: it may hold a model, or thousands of trials."""

    @property
    def text(self) -> str:
        """What the command prints."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.text
