import numpy as np

from fourfold.baselines.fair_credit.correlation_remover import CorrelationRemover
from fourfold.suite import Budget


def test_margins_do_not_tell_the_group_they_came_from(draw):
    train = draw(3000)
    method = CorrelationRemover(Budget(), {})
    method.fit(train, Budget())
    margin = method.model.decision_function(method.with_group(train))
    means = [margin[train.group == g].mean() for g in (0, 1)]
    assert abs(means[0] - means[1]) < 1e-6 * margin.std()
    assert abs(np.corrcoef(train.features[train.group >= 0, 2], train.group[train.group >= 0])[0, 1]) > 0.5
