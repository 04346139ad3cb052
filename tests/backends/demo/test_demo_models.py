"""The demo models, and how they are made."""

from __future__ import annotations

import numpy as np
import pytest
from tfaas_backends.demo import DemoModel, demo_models
from tfaas_backends.demo.train_particles import Dense, answers, frozen_graph, toy_events
from tfaas_backends.runtimes.graph.runtime import GraphRuntime

from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.tensors import BatchAxis


@pytest.fixture
def particles() -> Servable:
    (model,) = [model for model in demo_models() if model.name == "particles"]
    assert model.params is not None
    return GraphRuntime().load(
        model.model, Params.parse(model.params.read_bytes()), LoadOptions(threads=1)
    )


def test_the_demo_models_are_listed_by_name() -> None:
    assert [model.name for model in demo_models()] == ["digits", "particles"]


@pytest.mark.parametrize("model", demo_models(), ids=lambda model: model.name)
def test_a_demo_model_is_small_and_says_what_it_is(model: DemoModel) -> None:
    assert model.model.stat().st_size < 300_000
    assert model.model.name.startswith(f"{model.name}.")
    assert model.description
    if model.params is not None:
        params = Params.parse(model.params.read_bytes())
        assert (params.name, params.description) == (model.name, model.description)


def test_particles_takes_plain_rows(particles: Servable) -> None:
    signature = particles.signature
    assert signature.batch is BatchAxis.FREE
    assert len(signature.inputs) == len(signature.outputs) == 1


def test_particles_tells_decays_from_the_rest(particles: Servable) -> None:
    rows, labels = toy_events(5000, np.random.default_rng(99))
    (signal,) = particles.run([rows])
    assert signal.shape == (5000, 1)
    assert np.mean((signal[:, 0] > 0.5) == (labels > 0.5)) > 0.88


def test_toy_events_hold_a_pair_of_the_resonance_s_mass_where_they_say_so() -> None:
    rows, labels = toy_events(2000, np.random.default_rng(1))
    pt, eta, phi = np.moveaxis(rows.reshape(-1, 14, 3).astype(float), 2, 0)
    first, second = np.triu_indices(14, 1)
    squares = (
        2
        * pt[:, first]
        * pt[:, second]
        * (np.cosh(eta[:, first] - eta[:, second]) - np.cos(phi[:, first] - phi[:, second]))
    )
    nearest = np.abs(np.sqrt(squares) - 91).min(axis=1)
    assert (nearest[labels == 1] < 12).all()
    assert (np.diff(pt, axis=1) <= 0).all()


def test_the_frozen_graph_computes_its_layers() -> None:
    random = np.random.default_rng(3)
    layers = [
        Dense(random.normal(size=(42, 5)), random.normal(size=5)),
        Dense(random.normal(size=(5, 1)), random.normal(size=1)),
    ]
    rows = random.normal(size=(10, 42)).astype(np.float32)
    hidden = np.maximum(rows @ layers[0].kernel + layers[0].bias, 0)
    expected = 1 / (1 + np.exp(-(hidden @ layers[1].kernel + layers[1].bias)))
    np.testing.assert_allclose(answers(frozen_graph(layers), rows), expected[:, 0], rtol=1e-4)
