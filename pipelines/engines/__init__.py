"""Engines that anybody can install: Prism and Flink, their artefacts, and a local cluster."""
