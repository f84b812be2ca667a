"""The feature cache: what an encode made of an image, kept on the device, in memory and on disk.

Image features cost a hundred times what a click costs. A cache never is a reason to fail: what it
does not have is computed, what it cannot keep is forgotten.
"""
