import numpy as np

from backend.cli.overlay import overlay
from dynamite import Click, ClickSet
from dynamite.drawing import color


def test_every_object_has_its_own_color_and_the_rest_stays():
    image = np.full((200, 300, 3), 100, np.uint8)
    label_map = np.full((200, 300), -1, np.int16)
    label_map[20:80, 20:120] = 0
    label_map[120:180, 150:280] = 1
    clicks = ClickSet([[Click(70, 50)], [Click(200, 150)]], [Click(20, 180)])
    drawn = overlay(image, label_map, clicks)
    assert drawn.shape == image.shape
    assert (drawn[5, 290] == 100).all()
    first, second = drawn[30, 30].astype(int), drawn[130, 160].astype(int)
    assert (first != second).any()
    assert abs(drawn[50, 70].astype(int) - color(0)).max() <= 3  # the dot of the click
    assert (drawn[180, 20] == 0).all()  # the cross of the background click
    assert (image == 100).all()
