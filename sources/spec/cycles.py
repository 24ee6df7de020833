"""Upgrades of ECMWF's models that move what they give: quirks that several sources share."""

from datetime import datetime

from aurora_prep.sources.spec.quirk import Quirk

IFS_CYCLES = (
    Quirk(
        what="IFS cycle 49r1: distributions change; HRES and the ensemble's control are the same"
        " from here on",
        known_from="ECMWF, list of changes to the IFS",
        start=datetime(2024, 11, 12, 6),
    ),
    Quirk(
        what="IFS cycle 50r1: distributions change; streams scda and scwv end, and 06 and 18 UTC"
        " lie under oper and wave",
        known_from="ECMWF, dissemination changes of cycle 50r1; anemoi-datasets issue 735",
        start=datetime(2026, 5, 12, 6),
    ),
)
CAMS_CYCLES = (
    Quirk(
        what="IFS cycle 48r1: chemistry, emissions and with them distributions change",
        known_from="ECMWF, list of CAMS upgrades",
        start=datetime(2023, 6, 27, 12),
    ),
    Quirk(
        what="IFS cycle 49r1: emissions become CAMS-GLOB-ANT 6.1, and distributions change",
        known_from="ECMWF, list of CAMS upgrades",
        start=datetime(2024, 11, 12),
    ),
    Quirk(
        what="IFS cycle 50r1: new anthropogenic (CAMS-GLOB-ANT-M1, with a weekly cycle), biogenic"
        " and fire emissions; Aurora's own static emissions no longer match the model",
        known_from="ECMWF, CAMS upgrade to cycle 50r1 (page of 2026-05-13)",
        start=datetime(2026, 5, 12),
    ),
)
