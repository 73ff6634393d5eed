import pytest
from ase.build import bulk

from lamflow.errors import InputError
from lamflow.label.registry import LABELLERS
from lamflow.testing.labeller import LabellerConformance
from lamflow.testing.trainer import TYPE_MAP, emt_system, write_dataset
from lamflow.train import presets
from lamflow.train.deepmd_trainer import DeepmdTrainer
from lamflow.train.protocol import Head, TrainJob, TrainSettings

MODEL = presets.load(
    "dpa1-tiny",
    {
        "descriptor": {"neuron": [4, 8], "axis_neuron": 4, "precision": "float64", "seed": 1},
        "fitting_net": {"neuron": [8, 8], "precision": "float64"},
    },
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model of copper and gold after a few steps: wrong, but smooth and consistent."""
    folder = tmp_path_factory.mktemp("teacher")
    data = write_dataset(folder / "data", emt_system(4, seed=1))
    settings = TrainSettings(steps=10, batch=1, report_every=1, threads=1)
    job = TrainJob([Head("alloy", data)], MODEL, TYPE_MAP, settings)
    return DeepmdTrainer().train(job, folder / "run").frozen["alloy"]


@pytest.mark.slow
class TestTeacher(LabellerConformance):
    crystal = bulk("Cu", cubic=True)
    unknown_element = "Si"

    @pytest.fixture(scope="class", autouse=True)
    def labeller(self, request, model):
        request.cls.kept = LABELLERS.build("teacher", {"model": str(model)})

    def make_labeller(self):
        return self.kept

    def make_unconverged(self):
        return None

    def test_the_path_of_the_model_does_not_matter(self, model, tmp_path):
        copy = tmp_path / "copy.pth"
        copy.write_bytes(model.read_bytes())
        other = LABELLERS.build("teacher", {"model": str(copy)})
        assert other.identity(["Cu"]) == self.make_labeller().identity(["Cu"])


def test_a_missing_model_is_refused(tmp_path):
    labeller = LABELLERS.build("teacher", {"model": str(tmp_path / "no.pth")})
    with pytest.raises(InputError, match=r"no\.pth"):
        labeller.check(["Cu"], True)
