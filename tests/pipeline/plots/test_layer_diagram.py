import matplotlib.image
import numpy as np
from matplotlib.patches import Rectangle

from pipeline.plots import layer_diagram as diagram
from pipeline.reporting.embedded_figures import CAPTIONS


def bars(figure) -> list[float]:
    """Heights of the weights, average pooling 1."""
    patches = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    width = 0.75 * 1.8
    return [p.get_height() / diagram.BAR for p in patches if abs(p.get_width() - width) < 1e-9]


def test_smoke(project):
    diagram.main()
    picture = matplotlib.image.imread(project.reports / "figure1.png")
    assert picture.shape[1] > 1200
    text = (project.reports / "figure1.svg").read_text(encoding="utf-8")
    assert "<svg" in text
    assert sorted(file.name for file in project.reports.iterdir()) == ["figure1.png", "figure1.svg"]


def test_weights_agree_with_the_oracle():
    phi = diagram.EXAMPLE
    figure = diagram.draw(phi, diagram.COLUMNS, diagram.RARE, diagram.LAMBDA)
    gram = phi.T @ phi + diagram.LAMBDA * np.eye(phi.shape[1])
    alpha = np.linalg.solve(gram, np.ones(phi.shape[1]))  # Eq. 9
    np.testing.assert_allclose(bars(figure), alpha / alpha.mean())


def test_rare_activations_are_those_weighted_up():
    figure = diagram.draw(diagram.EXAMPLE, diagram.COLUMNS, diagram.RARE, diagram.LAMBDA)
    up = [i for i, weight in enumerate(bars(figure)) if weight > 1]
    assert tuple(up) == diagram.RARE


def test_the_words_read_out_name_every_part_of_the_drawing():
    figure = diagram.draw(diagram.EXAMPLE, diagram.COLUMNS, diagram.RARE, diagram.LAMBDA)
    said = CAPTIONS[0].alternative
    headings = (
        "activation volume",
        "local activation",
        "Gram matrix",
        "weights",
        "weighted",
        "unit",
    )
    drawn = " ".join(text.get_text() for text in figure.axes[0].texts)
    for heading in headings:
        assert heading in drawn
        assert heading in said
