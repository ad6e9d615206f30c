"""What callbacks of tests have in common."""


class Listener:
    """A callback that does nothing until `on_fit_task_end`, which a test adds."""

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass
