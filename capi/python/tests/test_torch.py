"""torch brings an OpenMP and a oneDNN of its own; neither library may notice the other."""

import importlib.util
import subprocess
import sys

import pytest

SCRIPT = """
import threading
{imports}
model = mla.Model.load(mla.demo_model())
expected_text = {text!r}

def write():
    return model.generate("In the beginning", max_tokens=60, seed=1)

def multiply():
    x = torch.arange(512 * 512, dtype=torch.float32).reshape(512, 512) % 7
    return float((x @ x).sum()), float(torch.nn.functional.softmax(x, 1).sum())

torch.set_num_threads(2)
before = multiply()
assert torch.get_num_threads() == 2
for _ in range(3):
    assert write() == expected_text
    assert multiply() == before
    assert torch.get_num_threads() == 2, torch.get_num_threads()

texts = []
thread = threading.Thread(target=lambda: texts.extend(write() for _ in range(3)))
thread.start()
while thread.is_alive():
    assert multiply() == before
thread.join()
assert texts == [expected_text] * 3

# torch's compiled convolutions go through its own oneDNN, the model's F16 products through ours.
convolution = torch.nn.Conv2d(8, 8, 3)
with torch.no_grad():
    assert torch.equal(convolution(torch.ones(2, 8, 32, 32)), convolution(torch.ones(2, 8, 32, 32)))
assert write() == expected_text
print("both work")
"""


@pytest.mark.parametrize("imports", ["import torch, mla", "import mla, torch",
                                     "import mla; mla.Model.load(mla.demo_model()).generate('a', max_tokens=2); import torch"])
def test_in_one_process(imports: str) -> None:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed: sharing a process with it was NOT tested")
    text = subprocess.run([sys.executable, "-c", "import mla; print(mla.Model.load(mla.demo_model()).generate("
                           "'In the beginning', max_tokens=60, seed=1), end='')"], check=True, stdout=subprocess.PIPE).stdout.decode()
    script = SCRIPT.format(imports=imports, text=text)
    result = subprocess.run([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert (result.returncode, result.stdout) == (0, "both work\n")
