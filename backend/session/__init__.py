"""What annotators have said about images: objects with stable ids, clicks, accepted masks.

Pure: no HTTP, no files, no model. ``evidence`` holds what a call tells, ``page`` what is
remembered, ``reconcile`` turns both into the new memory and a ``plan``; ``store`` keeps the pages.
"""
