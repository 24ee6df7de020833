# The image of a worker, for Dataflow and every other engine that takes Beam's containers:
#   docker build -t REGISTRY/aurora-prep:0.1.0 .
#   docker push REGISTRY/aurora-prep:0.1.0
#   aurora-prep run RECIPE ... -- --runner=DataflowRunner --sdk_container_image=REGISTRY/aurora-prep:0.1.0
#
# Python and Beam must be those of the machine that submits. ecCodes comes as a binary wheel
# (eccodeslib): no system package is needed.
ARG PYTHON=3.11
ARG BEAM=2.77.0
FROM apache/beam_python${PYTHON}_sdk:${BEAM}

ARG BEAM
COPY . /opt/aurora-prep
RUN pip install --no-cache-dir "apache-beam[gcp]==${BEAM}" /opt/aurora-prep \
    && pip check \
    && rm -rf /opt/aurora-prep

# Fails the build rather than the job: ecCodes loads beside PROJ, and the steps can be unpickled.
RUN python -c "import aurora_prep.pipelines.run.transforms, eccodes; print(eccodes.codes_get_api_version())"

# Beam's own entry point, /opt/apache/beam/boot, is inherited.
