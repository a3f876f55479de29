"""Descriptors of whole pages, and the choice of their λ."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from dgmp.pooling.functional import generalized_max_pool
from pipeline.inputs.task_data import load_inputs
from pipeline.tools import choose_page_lambda
from pipeline.training import page_vectors
from pipeline.training.page_vectors import EmbedJob, embed_pages, load_network
from tests.pipeline.training.toy import params_of, toy_settings

CELL = "writers-avg-m01"


@pytest.fixture
def params(params, monkeypatch) -> Any:
    settings = toy_settings()
    settings["embedded"] = {CELL: {"lambda": 3}}
    settings["profiles"]["scribes"]["writers"] |= {"seeds": [0]}
    found = params_of(settings)
    monkeypatch.setattr(page_vectors, "load_trained", lambda model, file: model)
    return found


def test_oracle_a_page_is_the_pooling_of_all_locations_of_its_patches(params, monkeypatch):
    job = EmbedJob(params, CELL, 0)
    found = embed_pages(job)
    model, inputs = load_network(job).eval(), load_inputs(params, "writers").test
    for name, patch, page in zip(found.pages[:, 0], found.patch, found.page, strict=True):
        own = np.flatnonzero(inputs.pages == name)
        if not len(own):  # a page of train or val
            continue
        with torch.no_grad():
            volume = model.backbone(model.preparation(inputs(own)))
        locations = volume.movedim(1, 0).flatten(1).unsqueeze(0).double()
        expected = generalized_max_pool(locations, 3.0, relative=True)[0]
        np.testing.assert_allclose(page, expected.float(), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(patch, model(inputs(own)).mean(0).detach(), atol=1e-5)
    # A page of more patches than one pass takes is the same.
    monkeypatch.setattr(page_vectors, "PATCHES_PER_PASS", 1)
    np.testing.assert_allclose(embed_pages(job).page, found.page, rtol=1e-4, atol=1e-6)


def test_smoke_lambdas_of_pages_are_tried_on_validation_writers(params):
    choose_page_lambda.main()
    rows = pd.read_csv(params.reports / "constants" / "page_lambda.csv")
    assert set(rows["cell"]) == {CELL}
    tried = [choose_page_lambda.PATCHES, *(f"{one:g}" for one in choose_page_lambda.LAMBDAS)]
    assert rows["lambda"].tolist() == tried
    assert rows["mAP"].between(0, 100).all()
