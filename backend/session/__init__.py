"""What annotators have said about images: objects with stable ids, clicks, accepted masks.

Pure: no HTTP, no files, no model. ``call`` holds what one call tells, ``annotator_page`` what is
remembered; ``reconcile`` turns both into the page after the call and an ``answer_plan``;
``composing`` turns the model's answer into masks; ``store`` keeps the pages.
"""
