import os

import pytest

import mla


@pytest.mark.filterwarnings("ignore:This process")
def test_forked_children_can_use_the_model_anew(model: mla.Model) -> None:
    """Not the parent's contexts, whose threads a child doesn't have."""
    expected = model.generate("And", max_tokens=5, seed=1)
    child = os.fork()
    if child == 0:
        try:
            with mla.Model.load(mla.demo_model()) as own:
                same = own.generate("And", max_tokens=5, seed=1) == expected
            os._exit(0 if same else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
