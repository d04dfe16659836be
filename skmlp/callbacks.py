"""What may look on, epoch by epoch, while a network trains."""

__all__ = ["Callback", "PrintProgress"]


class Callback:
    """Base of all callbacks: every hook does nothing.

    The hooks get the state of the training, see `skmlp._engine.training.TrainState`; its lists
    have one entry per epoch, with one value per member.
    """

    def on_train_begin(self, state):
        """Before the first epoch."""

    def on_epoch_end(self, state):
        """After an epoch has been judged; returning True stops all members."""

    def on_train_end(self, state):
        """After the parameters that training ends with are in place."""


class PrintProgress(Callback):
    """Print the lines of scikit-learn's MLPs.

    Parameters
    ----------
    every : int
        Print every so many epochs.
    """

    def __init__(self, every=1):
        self.every = every

    def on_epoch_end(self, state):
        if state.epoch % self.every:
            return
        print(f"Iteration {state.epoch}, loss = {state.losses[-1].mean():.8f}")
        if state.scores:
            print(f"Validation score: {state.scores[-1].mean():.6f}")

    def on_train_end(self, state):
        for reason in dict.fromkeys(state.reasons):
            print(reason)
