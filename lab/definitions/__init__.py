"""The words of the lab as types: apps, scenarios, benches, matrices, trials, and all of them together as a `Lab`."""

from __future__ import annotations

from correlate.dataset.record import Analysis, RoleRule, UserIds
from lab.definitions.app import App, CallSigns, Intent, Selector, ServiceWays, Way
from lab.definitions.base import Model, Name, Place, Role, Service
from lab.definitions.bench import (
    BenchSpec,
    Contact,
    LaptopSpec,
    LocalBench,
    LocalPhone,
    PhoneSpec,
    Resolver,
    Stimulus,
    StunServer,
)
from lab.definitions.lab import Lab, check, json_schemas, write_schemas
from lab.definitions.matrix import Matrix, Trial, plan
from lab.definitions.planned import PlannedTrial, plan_routes
from lab.definitions.scenario import Drawn, Scenario, Step, Uniform, Verb
from lab.definitions.virtual_app import VirtualApp
from lab.definitions.virtual_network import AppNetwork, LaptopEmulation, PhoneEmulation

__all__ = [
    "Analysis",
    "App",
    "AppNetwork",
    "BenchSpec",
    "CallSigns",
    "Contact",
    "Drawn",
    "Intent",
    "Lab",
    "LaptopEmulation",
    "LaptopSpec",
    "LocalBench",
    "LocalPhone",
    "Matrix",
    "Model",
    "Name",
    "PhoneEmulation",
    "PhoneSpec",
    "Place",
    "PlannedTrial",
    "Resolver",
    "Role",
    "RoleRule",
    "Scenario",
    "Selector",
    "Service",
    "ServiceWays",
    "Step",
    "Stimulus",
    "StunServer",
    "Trial",
    "Uniform",
    "UserIds",
    "Verb",
    "VirtualApp",
    "Way",
    "check",
    "json_schemas",
    "plan",
    "plan_routes",
    "write_schemas",
]
