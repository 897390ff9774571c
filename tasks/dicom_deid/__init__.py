"""De-identification of DICOM studies, header and pixels, scored so that one leaked name is visible."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from fourfold.suite.datasets import Dataset
from fourfold.suite.method import Budget
from fourfold.suite.task import Draw, Metric, Problem, Score, Scored, Second, Spent, Task
from fourfold.tasks.dicom_deid.measures import METRICS
from fourfold.tasks.dicom_deid.sources import DATASETS

if TYPE_CHECKING:
    from fourfold.suite.folder import Folder


class DicomDeid(Task):
    """De-identify studies of whole patients: take out who they are, from header and pixels, and leave all else.

    Identities are synthetic and planted where real ones are found, by a secret seed; so it is known what each file must
    not say any more, and what it must still say. The canaries are the planted identities: of a roster of people, each
    is in the studies by a secret coin, and an attack matches what came out to the roster.
    """

    name = "dicom-deid"
    version = "12"
    title = "De-identification of DICOM studies"
    embedded = "phantom"
    datasets: ClassVar[Mapping[str, Dataset]] = DATASETS
    metrics: ClassVar[Sequence[Metric]] = METRICS
    headline = "patient_leak_rate"
    shown = (
        "patient_leak_rate",
        "item_leak_rate",
        "utility",
        "text_kept",
        "pixels_equal",
        "distractors_kept",
        "valid",
        "worst_group_leak",
        "swap_gap",
        "leakage_auc",
        "epsilon_audited",
        "midi_action_accuracy",
        "cpu_per_instance",
        "peak_memory",
    )
    second = Second(
        "Utility, among those that leak from fewer than 5 % of patients",
        ("utility", "text_kept", "private_kept", "intervals_kept", "pixels_equal", "distractors_kept", "valid"),
        gate="leaks_little",
    )

    def load(self, dataset: str, cache: Path) -> Any:
        """Read the images that studies are made of, or, of MIDI-B, the studies; see ``sources.load``."""
        from fourfold.tasks.dicom_deid import sources

        return sources.load(dataset, cache)

    def draw(self, data: Any, draw: Draw, declared: Mapping[str, str], *, small: bool = False) -> Problem:
        """Make the studies and their key, a group of patients an ask; see ``problem.draw``."""
        from fourfold.tasks.dicom_deid import problem

        return problem.draw(data, draw, small=small)

    def score(
        self,
        problem: Problem,
        answers: "Sequence[Folder | None]",  # type: ignore[override]
        declared: Mapping[str, str],
        budget: Budget,
        draw: Draw,
    ) -> Scored:
        """Look for what was planted, and for what had to stay; see ``scoring.score``."""
        from fourfold.tasks.dicom_deid.scoring import score

        return score(problem.answers.hidden, answers, draw)

    def costs(self, problem: Problem, spent: Spent) -> Sequence[Score]:
        """CPU time an instance and a megapixel, and the cold start; see ``cost.costs``."""
        from fourfold.tasks.dicom_deid import cost

        known = problem.answers.hidden["known"]
        return list(cost.costs(spent, [len(paths) for paths in known.groups], known.corpus.key.instances))
