"""What is sent to a cluster: small, without fields, and fused as meant."""

import base64
import bz2
import pickle
import zlib
from dataclasses import replace
from datetime import datetime

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2 as api
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from aurora_prep.pipelines.plan.units import fetched_units
from aurora_prep.pipelines.recipe import Recipe
from aurora_prep.pipelines.run.pipeline import Prepare
from aurora_prep.pipelines.run.work import Work
from aurora_prep.pipelines.shard.context import RunContext
from aurora_prep.providers.credentials import Service
from aurora_prep.sources.spec import HOUR, Timeline

FIFTY_YEARS = {
    "name": "pretraining",
    "output": "gs://data/out",
    "sources": [
        {
            "source": "era5",
            "grid": "0.25",
            "period": {"start": "1979-01-01T00", "end": "2024-12-31T23", "step": "1h"},
        }
    ],
    "splits": {"train": ["1979-01-01", "2024-12-31"]},
    "statistics": {"split": "train", "differences": ["6h"]},
}
MOST_BYTES = 10_000_000


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Work:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AURORA_PREP_LOCAL_CACHE", str(tmp_path_factory.mktemp("cache")))
        context = RunContext(
            root=str(tmp_path_factory.mktemp("out")),
            cache=tmp_path_factory.mktemp("cache"),
            recipe=Recipe.parse(FIFTY_YEARS),
            synthetic=False,
            created=datetime(2020, 1, 1),
            software_version="0",
            bucket="gs://data/cache",
        )
    return Work(context, Service())


@pytest.fixture(scope="module")
def graph(work) -> api.Pipeline:
    pipeline = beam.Pipeline(options=PipelineOptions([]))
    _ = pipeline | "Prepare" >> Prepare(work)
    return pipeline.to_runner_api()


def functions(graph: api.Pipeline) -> dict[str, bytes]:
    """The pickled function of each step with one, as plain bytes."""
    found = {}
    for step in graph.components.transforms.values():
        if step.spec.urn == "beam:transform:pardo:v1":
            packed = api.ParDoPayload.FromString(step.spec.payload).do_fn.payload
            found[step.unique_name] = _unpacked(base64.b64decode(packed))
    return found


def _unpacked(data: bytes) -> bytes:
    """Whichever way Beam's pickler compresses."""
    return bz2.decompress(data) if data.startswith(b"BZh") else zlib.decompress(data)


def test_the_graph_for_400_000_frames_is_small(work, graph):
    assert work.plan.frames > 400_000
    assert graph.ByteSize() < MOST_BYTES / 20


def test_the_graph_holds_no_array(graph):
    found = functions(graph)
    assert len(found) > 8
    for name, function in found.items():
        assert b"ndarray" not in function, name
        assert b"numpy" not in function, name
        assert len(function) < 100_000, name


def test_an_array_would_be_seen():
    """The test above can fail."""
    pipeline = beam.Pipeline(options=PipelineOptions([]))
    _ = pipeline | beam.Create([0]) | beam.Map(lambda _, field: field, np.zeros(50_000))
    assert any(b"numpy" in function for function in functions(pipeline.to_runner_api()).values())


def stages(graph: api.Pipeline) -> list[set[str]]:
    """Names of the steps that run fused, a set a stage, without what Beam adds to them."""
    _, found = FnApiRunner().create_stages(graph)
    names = ({t.unique_name.removeprefix("Prepare/") for t in stage.transforms} for stage in found)
    return [{name.replace("/ParDo(WorkFn)", "").replace("/ParDo(UnitsFn)", "") for name in stage}
            for stage in names]  # fmt: skip


def test_steps_are_fused_as_meant(graph):
    """A field is fetched, decoded, written and reduced without ever being handed on."""
    found = stages(graph)

    def together(*names: str) -> bool:
        return any(set(names) <= stage for stage in found)

    assert together("Units", "ByLane/Write")
    assert together("ByLane/Read", "Make", "Statistics/Precombine", "Statistics/Group/Write")
    assert together("Account", "Changes")
    assert not together("Units", "Make")  # lanes and units are spread over the workers between
    assert len(found) <= 10


def test_what_crosses_a_shuffle_is_references_and_bytes(graph):
    """Coders of what is grouped: keys, and small things; no coder knows a field."""
    components = graph.components
    for step in components.transforms.values():
        if step.spec.urn != "beam:transform:group_by_key:v1":
            continue
        (name,) = step.inputs.values()
        coder = components.coders[components.pcollections[name].coder_id]
        assert coder.spec.urn == "beam:coder:kv:v1", step.unique_name


def test_a_unit_is_small(work):
    """What the elements weigh, of which a job has a few for every shard."""
    plan = work.plan.sources[0]
    a_month = replace(plan, init_times=Timeline(plan.init_times[0], plan.init_times[743], HOUR))
    requests = tuple(a_month.requests(synthetic=False))
    blocks = {task.block for task in a_month.tasks()}
    units = list(fetched_units(a_month, requests, blocks))
    assert sum(len(unit.shards) for unit in units) == len(blocks)
    assert len(pickle.dumps(units)) < 200 * len(blocks)
