"""Label Studio's next editor: its second interactive protocol (docs/label-studio-protocol.md, 12).

Its page asks what a backend can do, then sends the points or the box of one object, without ids and
without a label, and shows one mask. Both protocols are served on one page at the same time.
"""
