import numpy as np
import pytest
from matplotlib.patches import Rectangle

from pipeline.plots import layer_diagram
from pipeline.reporting.embedded_figures import CAPTIONS

PHI = layer_diagram.EXAMPLE


@pytest.fixture
def axes():
    figure = layer_diagram.draw(
        PHI, layer_diagram.COLUMNS, layer_diagram.RARE, layer_diagram.LAMBDA
    )
    return figure.axes[0]


def test_weights_agree_with_the_oracle(axes):
    bars = [p for p in axes.patches if isinstance(p, Rectangle)]
    bars = [p.get_height() / layer_diagram.BAR for p in bars if p.get_width() == 0.75 * 1.8]
    gram = PHI.T @ PHI + layer_diagram.LAMBDA * np.eye(PHI.shape[1])
    alpha = np.linalg.solve(gram, np.ones(PHI.shape[1]))  # Eq. 9
    np.testing.assert_allclose(bars, alpha / alpha.mean())
    # Rare activations are those weighted up.
    assert tuple(np.flatnonzero(np.array(bars) > 1)) == layer_diagram.RARE


@pytest.mark.parametrize(
    "heading",
    ["activation volume", "local activation", "Gram matrix", "weights", "weighted", "unit"],
)
def test_the_words_read_out_name_every_part_of_the_drawing(axes, heading):
    assert heading in " ".join(text.get_text() for text in axes.texts)
    assert heading in CAPTIONS[0].alternative
