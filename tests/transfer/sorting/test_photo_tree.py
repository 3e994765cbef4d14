from app.transfer.sorting.photo_tree import photos_below


def test_photos_are_found_at_any_depth_in_order(tree):
    root = tree({"b.JPG": "", "a/c/d.png": "", "a/notes.txt": "", ".hidden/e.jpg": "", "out/person-0001/f.jpg": ""})
    assert [each.label for each in photos_below(root, besides=root / "out")] == ["a/c/d.png", "b.JPG"]
