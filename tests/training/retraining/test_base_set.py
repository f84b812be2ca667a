from training.retraining.base_set import SHIPPED, open_base_set


def test_the_base_set_that_ships_is_small_whole_and_named_with_its_sources():
    dataset = open_base_set("", None)
    assert 20 <= len(dataset) <= 60
    sources = (SHIPPED / "SOURCES.md").read_text()
    for index, name in enumerate(dataset.sample_ids):
        assert f"| {name.rpartition('/')[2]} | CC BY" in sources
        assert 2 <= len(dataset[index].labels) <= 10
    assert sum(path.stat().st_size for path in SHIPPED.rglob("*.*")) < 1_500_000
